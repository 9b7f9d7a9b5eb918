CREATE VIEW restatement AS
WITH ordered AS (
    SELECT
        *,
        row_number() OVER vintages AS ordinal,
        ordinal > 1
        AND (
            coalesce(round(obs_value, 9), -1) <> coalesce(round(lag(obs_value) OVER vintages, 9), -1)
            OR coalesce(value_low, -1) <> coalesce(lag(value_low) OVER vintages, -1)
            OR coalesce(value_high, -1) <> coalesce(lag(value_high) OVER vintages, -1)
        ) AS changed,
        abs(obs_value - lag(obs_value) OVER vintages) / nullif(lag(obs_value) OVER vintages, 0) AS swing
    FROM vintage
    WINDOW vintages AS (PARTITION BY series_id, time_period ORDER BY known_on, retrieved_at, document_id)
),

restated AS (
    SELECT
        series_id,
        time_period,
        count(*) AS vintages,
        count(*) FILTER (WHERE changed) AS changes,
        min(obs_value) AS lowest_obs_value,
        max(obs_value) AS highest_obs_value,
        CASE WHEN count(*) FILTER (WHERE changed AND swing IS NULL) = 0 THEN max(swing) END AS largest_swing,
        list(obs_value ORDER BY ordinal) AS value_history,
        list(known_on ORDER BY ordinal) AS known_on_history,
        list(observation_id ORDER BY ordinal) AS observation_history
    FROM ordered
    GROUP BY series_id, time_period
    HAVING changes > 0
)

SELECT
    latest.source_id,
    latest.series_id,
    latest.reporter,
    latest.subject,
    latest.metric,
    latest.harm,
    latest.ref_area,
    latest.dimensions,
    latest.freq,
    latest.time_period,
    latest.unit_measure,
    latest.is_total,
    restated.vintages,
    restated.value_history[1] AS first_obs_value,
    latest.obs_value AS latest_obs_value,
    latest.obs_value - restated.value_history[1] AS difference,
    (latest.obs_value - restated.value_history[1]) / nullif(restated.value_history[1], 0) AS relative_difference,
    restated.changes,
    restated.lowest_obs_value,
    restated.highest_obs_value,
    restated.largest_swing,
    restated.known_on_history[1] AS first_known_on,
    restated.known_on_history[-1] AS latest_known_on,
    restated.observation_history[1] AS first_observation_id,
    latest.observation_id AS latest_observation_id,
    restated.value_history
FROM restated
INNER JOIN observation AS latest
    ON restated.series_id = latest.series_id AND restated.time_period = latest.time_period;
COMMENT ON VIEW restatement
IS 'One row a series and period whose value a later document changed. A new label alone is in label_rename.';
COMMENT ON COLUMN restatement.vintages IS 'Documents that print this figure.';
COMMENT ON COLUMN restatement.first_obs_value IS 'The value as first published, in unit_measure.';
COMMENT ON COLUMN restatement.latest_obs_value IS 'The value as published last, in unit_measure.';
COMMENT ON COLUMN restatement.difference IS 'Latest minus first value, in unit_measure; 0 where it was changed back.';
COMMENT ON COLUMN restatement.relative_difference IS 'Difference over the first value: 0.1 is ten per cent more.';
COMMENT ON COLUMN restatement.changes IS 'How often a document changed what the one before it printed.';
COMMENT ON COLUMN restatement.lowest_obs_value IS 'The lowest value in any vintage, in unit_measure.';
COMMENT ON COLUMN restatement.highest_obs_value IS 'The highest value in any vintage, in unit_measure.';
COMMENT ON COLUMN restatement.largest_swing
IS 'Largest change between consecutive vintages over the earlier value, without sign; null if that is 0 or missing.';
COMMENT ON COLUMN restatement.first_known_on IS 'Day the first value was published, else retrieved.';
COMMENT ON COLUMN restatement.latest_known_on IS 'Day the latest value was published, else retrieved.';
COMMENT ON COLUMN restatement.first_observation_id IS 'The observation with the first value.';
COMMENT ON COLUMN restatement.latest_observation_id IS 'The observation with the latest value.';
COMMENT ON COLUMN restatement.value_history IS 'The value in every vintage, oldest first.';
