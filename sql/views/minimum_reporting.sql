CREATE VIEW minimum_reporting AS
WITH made_available AS (
    SELECT
        source_id,
        reporter,
        year(period_start) AS year,
        ref_area,
        dimensions['recipient'] AS recipient,
        sum(obs_value) FILTER (WHERE dimensions['actionability'] = 'informational') AS informational,
        sum(obs_value) FILTER (WHERE dimensions['actionability'] IN ('actionable', 'referred')) AS referred,
        list(observation_id ORDER BY observation_id) AS observation_ids
    FROM observation
    WHERE metric = 'cybertip_reports_made_available' AND dimensions['actionability'] <> '_T' AND freq = 'A'
    GROUP BY source_id, reporter, year(period_start), ref_area, dimensions['recipient']
),

all_recipients AS (
    SELECT
        source_id,
        reporter,
        year,
        ref_area,
        '_T' AS recipient,
        sum(informational) AS informational,
        sum(referred) AS referred,
        flatten(list(observation_ids ORDER BY recipient)) AS observation_ids
    FROM made_available
    GROUP BY source_id, reporter, year, ref_area
    HAVING count(*) FILTER (WHERE recipient = '_T') = 0
),

by_area AS (
    SELECT
        source_id,
        reporter,
        year(period_start) AS year,
        ref_area,
        NULL AS recipient,
        sum(obs_value) FILTER (WHERE metric = 'cybertip_reports_informational') AS informational,
        sum(obs_value) FILTER (WHERE metric = 'cybertip_referrals') AS referred,
        list(observation_id ORDER BY observation_id) AS observation_ids
    FROM observation
    WHERE
        metric IN ('cybertip_reports_informational', 'cybertip_referrals')
        AND freq = 'A'
        AND subject IN ('_T', 'esp')
        AND cardinality(dimensions) = 0
        AND obs_value IS NOT NULL
    GROUP BY source_id, reporter, year(period_start), ref_area
    HAVING count(DISTINCT metric) = 2
),

together AS (
    SELECT * FROM made_available
    UNION ALL BY NAME
    SELECT * FROM all_recipients
    UNION ALL BY NAME
    SELECT * FROM by_area
)

SELECT
    source_id,
    reporter,
    year,
    recipient,
    ref_area,
    informational,
    referred,
    100 * informational / nullif(informational + referred, 0) AS informational_percent_of_both,
    observation_ids
FROM together
WHERE informational IS NOT NULL AND referred IS NOT NULL;
COMMENT ON VIEW minimum_reporting
IS 'One row a recipient (or area) and year: how many reports the clearinghouse passed on as informational, with too
little to act on, and how many as referrals. A report can go to several agencies: the base is both counts, never all reports.
By platform this is not published: see coverage. From 2022, and again from 2024, the two are told apart otherwise.';
COMMENT ON COLUMN minimum_reporting.year IS 'Calendar year.';
COMMENT ON COLUMN minimum_reporting.recipient
IS 'Kind of agency; _T all, added up where no total is printed; null where the row is about an area.';
COMMENT ON COLUMN minimum_reporting.informational IS 'Informational reports.';
COMMENT ON COLUMN minimum_reporting.referred IS 'Referrals; until 2023 reports called actionable.';
COMMENT ON COLUMN minimum_reporting.informational_percent_of_both
IS 'Informational reports in percent of informational reports and referrals together.';
COMMENT ON COLUMN minimum_reporting.observation_ids IS 'The observations behind the row.';
