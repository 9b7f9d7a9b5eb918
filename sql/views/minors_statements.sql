CREATE VIEW minors_statements AS
WITH counted AS (
    SELECT *
    FROM observation
    WHERE source_id = 'dsa_statements' AND obs_value IS NOT NULL
    QUALIFY row_number() OVER (
        PARTITION BY subject, time_period, metric, dimensions
        ORDER BY published_on DESC, retrieved_at DESC, observation_id ASC
    ) = 1
),

longest AS (
    SELECT
        subject,
        arg_max(time_period, (date_diff('day', period_start, period_end), period_start)) AS time_period
    FROM counted
    WHERE metric = 'dsa_statements' AND dimensions['category'] = '_T'
    GROUP BY subject, date_trunc('month', period_start)
)

SELECT
    counted.subject,
    counted.time_period,
    counted.freq,
    counted.period_start,
    counted.period_end,
    date_diff('day', counted.period_start, counted.period_end) + 1 AS day_count,
    max(counted.obs_value) FILTER (
        WHERE counted.metric = 'dsa_statements' AND counted.dimensions['category'] = '_T'
    ) AS statements,
    coalesce(max(counted.obs_value) FILTER (
        WHERE counted.metric = 'dsa_statements' AND counted.dimensions['category'] = 'protection_of_minors'
    ), 0) AS minors_statements,
    100 * minors_statements / nullif(statements, 0) AS minors_percent_of_statements,
    coalesce(max(counted.obs_value) FILTER (
        WHERE counted.dimensions['keyword'] = 'child_sexual_abuse_material'
    ), 0) AS csam_pairs,
    CASE
        WHEN counted.period_start >= DATE '2025-07-01' THEN coalesce(max(counted.obs_value) FILTER (
            WHERE counted.dimensions['keyword'] = 'child_sexual_abuse_material_deepfake'
        ), 0)
    END AS csam_deepfake_pairs,
    coalesce(max(counted.obs_value) FILTER (
        WHERE counted.dimensions['keyword'] = 'grooming_sexual_enticement_minors'
    ), 0) AS grooming_pairs,
    coalesce(max(counted.obs_value) FILTER (
        WHERE counted.dimensions['keyword'] = 'age_specific_restrictions_minors'
    ), 0) AS age_restriction_pairs,
    CASE
        WHEN counted.period_start >= DATE '2025-07-01' THEN coalesce(max(counted.obs_value) FILTER (
            WHERE counted.dimensions['keyword'] = 'unsafe_challenges'
        ), 0)
    END AS unsafe_challenge_pairs,
    max(counted.obs_value) FILTER (WHERE counted.metric = 'dsa_statements_about_minors') AS about_minors,
    max(counted.obs_value) FILTER (WHERE counted.metric = 'dsa_statements_about_minors_automated') AS automated,
    max(counted.obs_value) FILTER (WHERE counted.metric = 'dsa_statements_about_minors_detected') AS detected,
    max(counted.obs_value) FILTER (
        WHERE counted.metric = 'dsa_statements_about_minors_trusted'
    ) AS after_trusted_flagger,
    bool_or(counted.comparator <> '=') AS is_lower_bound,
    list(counted.observation_id ORDER BY counted.metric, counted.observation_id) AS observation_ids
FROM counted
INNER JOIN longest ON counted.subject = longest.subject AND counted.time_period = longest.time_period
GROUP BY counted.subject, counted.time_period, counted.freq, counted.period_start, counted.period_end;
COMMENT ON VIEW minors_statements
IS 'One row a platform and month of the DSA Transparency Database (source dsa_statements): statements in all, about
minors, and pairs of a statement and a keyword. A month counted in part has the longest range of its days (freq _O).';
COMMENT ON COLUMN minors_statements.day_count IS 'Days of the period.';
COMMENT ON COLUMN minors_statements.statements IS 'Statements of reasons about anything.';
COMMENT ON COLUMN minors_statements.minors_statements
IS 'Statements whose main category is protection of minors; 0 where the platform had others only.';
COMMENT ON COLUMN minors_statements.minors_percent_of_statements IS 'minors_statements in percent of statements.';
COMMENT ON COLUMN minors_statements.csam_pairs
IS 'Statements with the keyword child sexual abuse material, whatever their category; keywords must not be added up.';
COMMENT ON COLUMN minors_statements.csam_deepfake_pairs
IS 'With the keyword for deepfakes of such material; null before 2025-07, when there was none.';
COMMENT ON COLUMN minors_statements.grooming_pairs IS 'With the keyword grooming or sexual enticement of minors.';
COMMENT ON COLUMN minors_statements.age_restriction_pairs IS 'With the keyword age-specific restrictions.';
COMMENT ON COLUMN minors_statements.unsafe_challenge_pairs
IS 'With the keyword unsafe challenges; null before it was.';
COMMENT ON COLUMN minors_statements.about_minors
IS 'Statements with any mark of minors, each once: own reductions of dumps only, else null.';
COMMENT ON COLUMN minors_statements.automated IS 'Of about_minors, those decided fully automatically.';
COMMENT ON COLUMN minors_statements.detected IS 'Of about_minors, those detected by automated means.';
COMMENT ON COLUMN minors_statements.after_trusted_flagger
IS 'Of about_minors, those after a notice of a trusted flagger.';
COMMENT ON COLUMN minors_statements.is_lower_bound
IS 'True where lines of a dump could not be counted: the counts are at least these.';
COMMENT ON COLUMN minors_statements.observation_ids IS 'The observations behind the row.';
