CREATE VIEW clearinghouse_vs_police AS
SELECT
    police.ref_area,
    police.time_period,
    police.source_id AS police_source_id,
    police.reporter AS police_reporter,
    police.dimensions['release'] AS police_release,
    police.obs_value AS police_reports,
    police.comparator AS police_comparator,
    clearinghouse.source_id AS clearinghouse_source_id,
    clearinghouse.obs_value AS clearinghouse_reports,
    police.obs_value - clearinghouse.obs_value AS police_minus_clearinghouse,
    100 * police.obs_value / nullif(clearinghouse.obs_value, 0) AS police_percent_of_clearinghouse,
    5 AS tolerance_percent,
    CASE
        WHEN police.comparator <> '=' THEN 'incomplete'
        WHEN abs(police.obs_value - clearinghouse.obs_value) > 0.05 * clearinghouse.obs_value THEN 'not_explained'
        WHEN police.obs_value = clearinghouse.obs_value THEN 'equal'
        ELSE 'within_tolerance'
    END AS explanation,
    [police.observation_id, clearinghouse.observation_id] AS observation_ids
FROM observation AS police
INNER JOIN observation AS clearinghouse
    ON
        police.ref_area = clearinghouse.ref_area
        AND police.time_period = clearinghouse.time_period
        AND clearinghouse.metric = 'cybertip_reports'
        AND clearinghouse.source_id IN ('ncmec_by_country', 'ncmec_transcribed')
        AND clearinghouse.harm = '_T'
        AND cardinality(clearinghouse.dimensions) = 0
WHERE police.metric = 'cybertips_received' AND police.obs_value IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY police.observation_id ORDER BY clearinghouse.source_id) = 1;
COMMENT ON VIEW clearinghouse_vs_police
IS 'One row a statement of a national authority and year: CyberTipline reports it says it received, against the reports
NCMEC counts for the country. The base is the clearinghouse. A finding, never a failure.';
COMMENT ON COLUMN clearinghouse_vs_police.police_source_id IS 'Source of the authority''s count.';
COMMENT ON COLUMN clearinghouse_vs_police.police_reporter IS 'The authority.';
COMMENT ON COLUMN clearinghouse_vs_police.police_release IS 'Which of its releases says so.';
COMMENT ON COLUMN clearinghouse_vs_police.police_reports IS 'Reports it says it received.';
COMMENT ON COLUMN clearinghouse_vs_police.police_comparator IS '= exact; >= for a year that was not over.';
COMMENT ON COLUMN clearinghouse_vs_police.clearinghouse_source_id IS 'Source of NCMEC''s count.';
COMMENT ON COLUMN clearinghouse_vs_police.clearinghouse_reports IS 'Reports NCMEC counts for the country.';
COMMENT ON COLUMN clearinghouse_vs_police.police_minus_clearinghouse IS 'The authority''s count minus NCMEC''s.';
COMMENT ON COLUMN clearinghouse_vs_police.police_percent_of_clearinghouse
IS 'The authority''s count in percent of NCMEC''s, the base.';
COMMENT ON COLUMN clearinghouse_vs_police.tolerance_percent
IS 'A difference up to this percentage of the base needs no explanation.';
COMMENT ON COLUMN clearinghouse_vs_police.explanation
IS 'equal, within_tolerance, incomplete (the year was not over) or not_explained.';
COMMENT ON COLUMN clearinghouse_vs_police.observation_ids IS 'The observations behind the row.';
