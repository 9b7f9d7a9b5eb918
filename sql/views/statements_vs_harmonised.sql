CREATE VIEW statements_vs_harmonised AS
WITH submitted AS (
    SELECT
        subject,
        cast(year(period_start) AS VARCHAR) || '-S' || cast((month(period_start) + 5) // 6 AS VARCHAR) AS time_period,
        sum(statements) AS statements,
        sum(minors_statements) AS minors_statements,
        sum(csam_pairs) AS csam_pairs,
        bool_or(is_lower_bound) AS is_lower_bound,
        flatten(list(observation_ids ORDER BY period_start)) AS observation_ids
    FROM minors_statements
    WHERE freq = 'M'
    GROUP BY ALL
    HAVING count(*) = 6
),

reported AS (
    SELECT
        subject,
        time_period,
        sum(obs_value) FILTER (WHERE metric = 'dsa_own_initiative') AS own_initiative_measures,
        sum(obs_value) FILTER (
            WHERE metric IN ('dsa_notice_actions_law', 'dsa_notice_actions_terms')
        ) AS notice_measures,
        sum(obs_value) FILTER (WHERE metric = 'dsa_notices') AS notices,
        count(DISTINCT metric || coalesce(dimensions['ground'], '')) FILTER (WHERE metric <> 'dsa_notices') AS parts,
        list(observation_id ORDER BY metric, observation_id) AS observation_ids
    FROM observation
    WHERE
        starts_with(source_id, 'dsa_')
        AND source_id <> 'dsa_statements'
        AND metric IN (
            'dsa_own_initiative', 'dsa_notice_actions_law', 'dsa_notice_actions_terms', 'dsa_notices'
        )
        AND dimensions['grain'] = 'category'
        AND dimensions['category'] = 'protection_of_minors'
        AND coalesce(dimensions['restriction'], '_T') = '_T'
        AND ref_area = 'EUE'
        AND freq = 'S'
        AND obs_value IS NOT NULL
    GROUP BY subject, time_period
),

compared AS (
    SELECT
        submitted.*,
        reported.own_initiative_measures,
        reported.notice_measures,
        reported.notices,
        reported.parts,
        CASE
            WHEN reported.own_initiative_measures IS NOT NULL
                THEN reported.own_initiative_measures + coalesce(reported.notice_measures, 0)
        END AS harmonised_measures,
        reported.observation_ids AS harmonised_observation_ids
    FROM submitted
    INNER JOIN reported ON submitted.subject = reported.subject AND submitted.time_period = reported.time_period
)

SELECT
    subject,
    time_period,
    statements,
    minors_statements,
    csam_pairs,
    is_lower_bound,
    own_initiative_measures,
    notice_measures,
    notices,
    harmonised_measures,
    minors_statements - harmonised_measures AS statements_minus_harmonised,
    100 * (minors_statements - harmonised_measures) / nullif(harmonised_measures, 0)
        AS difference_percent_of_harmonised,
    5 AS tolerance_percent,
    CASE
        WHEN harmonised_measures IS NULL THEN 'incomplete'
        WHEN minors_statements = harmonised_measures AND NOT is_lower_bound THEN 'equal'
        WHEN abs(minors_statements - harmonised_measures) <= 0.05 * harmonised_measures THEN 'within_tolerance'
        WHEN parts < 4 OR is_lower_bound THEN 'incomplete'
        ELSE 'not_explained'
    END AS explanation,
    observation_ids AS statement_observation_ids,
    harmonised_observation_ids
FROM compared;
COMMENT ON VIEW statements_vs_harmonised
IS 'One row a platform and half-year in which both are at hand: statements about minors in the DSA Transparency Database
against measures about minors in its harmonised report. Recipients in the EU on both sides. A finding, never a failure:
a statement is one decision as submitted, a measure as the platform counts it.';
COMMENT ON COLUMN statements_vs_harmonised.time_period IS 'Half-year; all its six months must have been counted.';
COMMENT ON COLUMN statements_vs_harmonised.statements IS 'Statements of reasons about anything.';
COMMENT ON COLUMN statements_vs_harmonised.minors_statements
IS 'Statements whose main category is protection of minors.';
COMMENT ON COLUMN statements_vs_harmonised.csam_pairs IS 'Statements with the keyword child sexual abuse material.';
COMMENT ON COLUMN statements_vs_harmonised.is_lower_bound IS 'True where lines of a dump could not be counted.';
COMMENT ON COLUMN statements_vs_harmonised.own_initiative_measures
IS 'Measures about minors at own initiative, by law and by terms; null where the report is without that part.';
COMMENT ON COLUMN statements_vs_harmonised.notice_measures
IS 'Measures about minors upon notices, by law and by terms; null where the report is without them.';
COMMENT ON COLUMN statements_vs_harmonised.notices
IS 'Notices about minors received: no measures, shown beside them.';
COMMENT ON COLUMN statements_vs_harmonised.harmonised_measures
IS 'Own initiative and notices together; null without the former.';
COMMENT ON COLUMN statements_vs_harmonised.statements_minus_harmonised IS 'Statements minus measures.';
COMMENT ON COLUMN statements_vs_harmonised.difference_percent_of_harmonised
IS 'That difference in percent of the harmonised measures, the base.';
COMMENT ON COLUMN statements_vs_harmonised.tolerance_percent
IS 'A difference up to this percentage of the base needs no explanation.';
COMMENT ON COLUMN statements_vs_harmonised.explanation
IS 'equal, within_tolerance, incomplete (a part of the report or of a dump is missing) or not_explained.';
COMMENT ON COLUMN statements_vs_harmonised.statement_observation_ids IS 'The observations behind the statements.';
COMMENT ON COLUMN statements_vs_harmonised.harmonised_observation_ids
IS 'The observations behind the report''s numbers.';
