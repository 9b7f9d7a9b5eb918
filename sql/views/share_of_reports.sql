CREATE VIEW share_of_reports AS
WITH whole AS (
    SELECT
        source_id,
        year(period_start) AS year,
        any_value(obs_value) AS reports_of_all,
        any_value(observation_id) AS observation_id
    FROM observation
    WHERE
        metric = 'cybertip_reports'
        AND subject = 'esp'
        AND is_total
        AND freq = 'A'
        AND harm = '_T'
        AND ref_area = '_T'
    GROUP BY source_id, year(period_start)
    HAVING count(*) = 1
)

SELECT
    company.source_id,
    company.year,
    company.company,
    coalesce(organisation.name, company.company) AS name,
    company.obs_value AS reports,
    whole.reports_of_all,
    100 * company.obs_value / nullif(whole.reports_of_all, 0) AS percent_of_all,
    company.subjects,
    company.affiliates_combined,
    list_append(company.observation_ids, whole.observation_id) AS observation_ids
FROM company_annual_flow AS company
INNER JOIN whole ON company.source_id = whole.source_id AND company.year = whole.year
LEFT JOIN organisation ON company.company = organisation.organisation
WHERE company.metric = 'cybertip_reports' AND company.harm = '_T' AND company.ref_area = '_T';
COMMENT ON VIEW share_of_reports
IS 'One row a company and year: the CyberTipline reports of its brands, and their share of the printed total of all
service providers. Companies by who owned the brand on 31 December.';
COMMENT ON COLUMN share_of_reports.year IS 'Calendar year.';
COMMENT ON COLUMN share_of_reports.company IS 'The owner on 31 December; the organisation itself where it has none.';
COMMENT ON COLUMN share_of_reports.name IS 'Its name; the code where it is provisional.';
COMMENT ON COLUMN share_of_reports.reports IS 'Reports of all its brands that are printed.';
COMMENT ON COLUMN share_of_reports.reports_of_all IS 'The printed total of all service providers.';
COMMENT ON COLUMN share_of_reports.percent_of_all IS 'Its reports in percent of that total.';
COMMENT ON COLUMN share_of_reports.subjects IS 'The brands that were added.';
COMMENT ON COLUMN share_of_reports.affiliates_combined IS 'True where the publisher itself printed a group.';
COMMENT ON COLUMN share_of_reports.observation_ids IS 'The observations behind the row, the total''s last.';
