CREATE VIEW reports_turnover AS
WITH years AS (
    SELECT
        year,
        lead(year) OVER (ORDER BY year) AS next_year
    FROM reports_by_organisation
    GROUP BY year
),

reporting AS (
    SELECT
        organisation,
        year,
        any_value(name) AS name,
        sum(reports) AS reports,
        list(observation_id ORDER BY observation_id) AS observation_ids
    FROM reports_by_organisation
    WHERE reports > 0
    GROUP BY organisation, year
),

pairs AS (
    SELECT *
    FROM years
    WHERE next_year = year + 1
)

SELECT
    pairs.next_year AS year,
    'new' AS direction,
    later.organisation,
    later.name,
    later.reports,
    later.observation_ids
FROM pairs
INNER JOIN reporting AS later ON pairs.next_year = later.year
LEFT JOIN reporting AS earlier ON pairs.year = earlier.year AND later.organisation = earlier.organisation
WHERE earlier.organisation IS NULL
UNION ALL
SELECT
    pairs.next_year AS year,
    'vanished' AS direction,
    earlier.organisation,
    earlier.name,
    earlier.reports,
    earlier.observation_ids
FROM pairs
INNER JOIN reporting AS earlier ON pairs.year = earlier.year
LEFT JOIN reporting AS later ON pairs.next_year = later.year AND earlier.organisation = later.organisation
WHERE later.organisation IS NULL;
COMMENT ON VIEW reports_turnover
IS 'One row an organisation that NCMEC lists in one year and not in the year beside it. A brand printed within its group
before, or under another name, is new only on paper: see organisation_parent and series_break.';
COMMENT ON COLUMN reports_turnover.year IS 'The later of the two years.';
COMMENT ON COLUMN reports_turnover.direction IS 'new: listed in this year only; vanished: in the year before only.';
COMMENT ON COLUMN reports_turnover.organisation IS 'Code of the organisation, provisional ones among them.';
COMMENT ON COLUMN reports_turnover.name IS 'Its name.';
COMMENT ON COLUMN reports_turnover.reports IS 'Its reports in the year in which it is listed.';
COMMENT ON COLUMN reports_turnover.observation_ids IS 'The observations behind the row.';
