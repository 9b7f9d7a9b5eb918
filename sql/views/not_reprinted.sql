CREATE VIEW not_reprinted AS
WITH printed AS (
    SELECT DISTINCT
        source_id,
        metric,
        time_period,
        document_id,
        known_on
    FROM vintage
),

latest AS (
    SELECT *
    FROM vintage
    QUALIFY row_number() OVER (
        PARTITION BY series_id, time_period
        ORDER BY known_on DESC, retrieved_at DESC, document_id DESC
    ) = 1
),

newest AS (
    SELECT *
    FROM printed
    QUALIFY row_number() OVER (
        PARTITION BY source_id, metric, time_period
        ORDER BY known_on DESC, document_id DESC
    ) = 1
)

SELECT
    latest.observation_id,
    latest.source_id,
    latest.series_id,
    latest.subject,
    latest.metric,
    latest.ref_area,
    latest.time_period,
    latest.obs_value,
    latest.label_text,
    latest.document_id,
    newest.document_id AS newest_document_id,
    newest.known_on AS newest_known_on,
    observation.observation_id IS NOT NULL AS is_in_observation
FROM latest
INNER JOIN newest
    ON
        latest.source_id = newest.source_id
        AND latest.metric = newest.metric
        AND latest.time_period = newest.time_period
LEFT JOIN observation ON latest.observation_id = observation.observation_id
WHERE latest.document_id <> newest.document_id AND latest.known_on < newest.known_on;
COMMENT ON VIEW not_reprinted
IS 'Figures that a later document of the source, which prints the metric and period, leaves out: a row that was dropped,
renamed or moved, or a table printed once only. Look here before adding up a period that was published twice.';
COMMENT ON COLUMN not_reprinted.is_in_observation
IS 'False where the table adds up to a printed total, so that the later document replaced it whole.';
COMMENT ON COLUMN not_reprinted.newest_document_id IS 'SHA-256 of the later document.';
COMMENT ON COLUMN not_reprinted.newest_known_on IS 'Day it was published, else retrieved.';
