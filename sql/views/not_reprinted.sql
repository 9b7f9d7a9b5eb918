CREATE VIEW not_reprinted AS
WITH printed AS (
    SELECT DISTINCT
        source_id,
        metric,
        time_period,
        document_id,
        coalesce(published_on, cast(retrieved_at AS DATE)) AS known_on
    FROM observation_vintage
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
    observation.observation_id,
    observation.source_id,
    observation.series_id,
    observation.subject,
    observation.metric,
    observation.ref_area,
    observation.time_period,
    observation.obs_value,
    observation.label_text,
    observation.document_id,
    newest.document_id AS newest_document_id,
    newest.known_on AS newest_known_on
FROM observation
INNER JOIN newest
    ON
        observation.source_id = newest.source_id
        AND observation.metric = newest.metric
        AND observation.time_period = newest.time_period
WHERE
    observation.document_id <> newest.document_id
    AND coalesce(observation.published_on, cast(observation.retrieved_at AS DATE)) < newest.known_on;
COMMENT ON VIEW not_reprinted
IS 'Figures that stand although a later document of the source prints the metric and period without them: a row that was
dropped, renamed or moved, or a table printed once only. Look here before adding up a period that was published twice.';
COMMENT ON COLUMN not_reprinted.newest_document_id IS 'SHA-256 of the later document.';
COMMENT ON COLUMN not_reprinted.newest_known_on IS 'Day it was published, else retrieved.';
