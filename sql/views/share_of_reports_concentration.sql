CREATE VIEW share_of_reports_concentration AS
WITH ranked AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source_id, year ORDER BY reports DESC, company ASC) AS place
    FROM share_of_reports
)

SELECT
    source_id,
    year,
    count(*) AS companies,
    first(name ORDER BY place) AS largest,
    max(percent_of_all) AS largest_percent_of_all,
    sum(percent_of_all) FILTER (WHERE place <= 5) AS top_5_percent_of_all,
    sum(percent_of_all * percent_of_all) AS herfindahl_hirschman_index,
    any_value(reports_of_all) AS reports_of_all
FROM ranked
GROUP BY source_id, year
HAVING sum(reports) = any_value(reports_of_all);
COMMENT ON VIEW share_of_reports_concentration
IS 'One row a year whose printed rows add up to the printed total: how far the reports come from few companies.';
COMMENT ON COLUMN share_of_reports_concentration.year IS 'Calendar year.';
COMMENT ON COLUMN share_of_reports_concentration.companies IS 'Companies with a printed row.';
COMMENT ON COLUMN share_of_reports_concentration.largest IS 'Name of the company with most reports.';
COMMENT ON COLUMN share_of_reports_concentration.largest_percent_of_all IS 'Its share in percent.';
COMMENT ON COLUMN share_of_reports_concentration.top_5_percent_of_all IS 'Share of the five largest in percent.';
COMMENT ON COLUMN share_of_reports_concentration.herfindahl_hirschman_index
IS 'Sum of the squared shares in percent: 10,000 is one company alone, over 2,500 is called highly concentrated.';
COMMENT ON COLUMN share_of_reports_concentration.reports_of_all IS 'The printed total of all service providers.';
