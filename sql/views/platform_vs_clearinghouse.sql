CREATE VIEW platform_vs_clearinghouse AS
WITH own AS (
    SELECT
        side.comparison,
        annual.year,
        annual.source_id,
        annual.metric,
        annual.unit_measure,
        any_value(annual.comparator ORDER BY annual.comparator DESC) AS comparator,
        sum(annual.obs_value) AS reports,
        count(DISTINCT annual.subject) AS subjects,
        flatten(list(annual.observation_ids ORDER BY annual.subject, annual.harm, annual.observation_ids))
            AS observation_ids
    FROM annual_flow AS annual
    INNER JOIN comparison_side AS side
        ON
            annual.subject = side.subject
            AND side.side = 'platform'
            AND make_date(annual.year, 12, 31) <= coalesce(side.valid_to, make_date(annual.year, 12, 31))
            AND make_date(annual.year, 1, 1) >= coalesce(side.valid_from, make_date(annual.year, 1, 1))
    WHERE annual.metric IN ('reports_to_ncmec', 'accounts_reported') AND NOT annual.is_total
    GROUP BY side.comparison, annual.year, annual.source_id, annual.metric, annual.unit_measure
),

counted AS (
    SELECT
        side.comparison,
        annual.year,
        annual.source_id,
        sum(annual.obs_value) AS reports,
        flatten(list(annual.observation_ids ORDER BY annual.subject, annual.observation_ids)) AS observation_ids
    FROM annual_flow AS annual
    INNER JOIN comparison_side AS side
        ON
            annual.subject = side.subject
            AND side.side = 'clearinghouse'
            AND make_date(annual.year, 12, 31) <= coalesce(side.valid_to, make_date(annual.year, 12, 31))
            AND make_date(annual.year, 1, 1) >= coalesce(side.valid_from, make_date(annual.year, 1, 1))
    WHERE
        annual.source_id IN ('ncmec_by_esp', 'ncmec_transcribed')
        AND annual.metric = 'cybertip_reports'
        AND NOT annual.is_total
    GROUP BY side.comparison, annual.year, annual.source_id
    QUALIFY row_number() OVER (
        PARTITION BY side.comparison, annual.year
        ORDER BY annual.source_id
    ) = 1
)

SELECT
    own.comparison AS subject,
    own.year,
    own.source_id AS platform_source_id,
    own.reports AS platform_count,
    own.metric AS platform_metric,
    own.unit_measure AS platform_unit_measure,
    own.comparator AS platform_comparator,
    counted.source_id AS clearinghouse_source_id,
    counted.reports AS clearinghouse_reports,
    own.reports - counted.reports AS platform_minus_clearinghouse,
    100 * (own.reports - counted.reports) / nullif(counted.reports, 0) AS difference_percent_of_clearinghouse,
    5 AS tolerance_percent,
    CASE
        WHEN own.unit_measure = 'reports' AND own.reports = counted.reports THEN 'equal'
        ELSE coalesce(
            explained.explanation,
            CASE
                WHEN own.unit_measure <> 'reports' THEN 'unit'
                WHEN abs(own.reports - counted.reports) > 0.05 * counted.reports THEN 'not_explained'
                WHEN own.comparator <> '=' THEN 'rounding'
                ELSE 'within_tolerance'
            END
        )
    END AS explanation,
    explained.note AS explanation_note,
    own.observation_ids AS platform_observation_ids,
    counted.observation_ids AS clearinghouse_observation_ids
FROM own
INNER JOIN counted ON own.comparison = counted.comparison AND own.year = counted.year
LEFT JOIN comparison_explanation AS explained
    ON own.comparison = explained.comparison AND own.year = explained.year;
COMMENT ON VIEW platform_vs_clearinghouse
IS 'One row a platform, year and source of its own count: reports the platform says it made against reports NCMEC counts
of it. The base of every difference is the clearinghouse. A finding, never a failure; sides are in comparison_side.';
COMMENT ON COLUMN platform_vs_clearinghouse.subject IS 'The comparison: a platform as it reports about itself.';
COMMENT ON COLUMN platform_vs_clearinghouse.year IS 'Calendar year; only years that both sides cover whole.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_source_id IS 'Source of the platform''s own count.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_count IS 'The platform''s own count, in platform_unit_measure.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_metric IS 'What the platform counts.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_unit_measure
IS 'Its unit: where it is not reports, the difference is one of kind.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_comparator IS '= exact, ~ rounded by the platform.';
COMMENT ON COLUMN platform_vs_clearinghouse.clearinghouse_source_id
IS 'Source of NCMEC''s count: read from its documents, else transcribed.';
COMMENT ON COLUMN platform_vs_clearinghouse.clearinghouse_reports IS 'Reports that NCMEC counts of the platform.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_minus_clearinghouse IS 'Own count minus NCMEC''s.';
COMMENT ON COLUMN platform_vs_clearinghouse.difference_percent_of_clearinghouse
IS 'That difference in percent of NCMEC''s count, the base.';
COMMENT ON COLUMN platform_vs_clearinghouse.tolerance_percent
IS 'A difference up to this percentage of the base needs no explanation.';
COMMENT ON COLUMN platform_vs_clearinghouse.explanation
IS 'equal, within_tolerance, or why they differ: code as in comparison_explanation; not_explained where nobody says.';
COMMENT ON COLUMN platform_vs_clearinghouse.explanation_note IS 'The explanation in words, where it was looked into.';
COMMENT ON COLUMN platform_vs_clearinghouse.platform_observation_ids IS 'The observations behind the own count.';
COMMENT ON COLUMN platform_vs_clearinghouse.clearinghouse_observation_ids IS 'The observations behind NCMEC''s count.';
