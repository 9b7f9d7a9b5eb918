CREATE VIEW label_rename AS
WITH labelled AS (
    SELECT
        source_id,
        series_id,
        subject,
        ref_area,
        time_period,
        obs_value,
        observation_id,
        label_text AS latest_label_text,
        lag(label_text) OVER vintages AS earlier_label_text,
        lag(obs_value) OVER vintages AS earlier_obs_value
    FROM vintage
    WINDOW
        vintages AS (
            PARTITION BY series_id, time_period
            ORDER BY known_on, retrieved_at, document_id
        )
)

SELECT
    source_id,
    series_id,
    subject,
    ref_area,
    time_period,
    earlier_label_text,
    latest_label_text,
    coalesce(obs_value, -1) <> coalesce(earlier_obs_value, -1) AS value_changed,
    observation_id
FROM labelled
WHERE latest_label_text <> earlier_label_text;
COMMENT ON VIEW label_rename
IS 'One row a figure whose printed labels differ from those of the vintage before it; no restatement by itself.';
COMMENT ON COLUMN label_rename.earlier_label_text IS 'The labels as the vintage before printed them.';
COMMENT ON COLUMN label_rename.latest_label_text IS 'The labels as this vintage prints them.';
COMMENT ON COLUMN label_rename.value_changed IS 'True where the value changed as well.';
COMMENT ON COLUMN label_rename.observation_id IS 'The observation with the later labels.';
