-- Until when a vintage was the latest: until a later one of its series and period, or, in a table that adds up to a
-- printed total, until a later document that prints the table for the period, whatever rows that has.
WITH printing AS (
    SELECT DISTINCT
        source_id,
        table_name,
        metric,
        time_period,
        document_id,
        known_on,
        retrieved_at
    FROM observation_vintage
),

followed AS (
    SELECT
        source_id,
        table_name,
        metric,
        time_period,
        document_id,
        lead(known_on) OVER (
            PARTITION BY source_id, table_name, metric, time_period
            ORDER BY known_on, retrieved_at, document_id
        ) AS next_document_on
    FROM printing
),

latest AS (
    SELECT
        vintage.observation_id,
        least(
            lead(vintage.known_on) OVER (
                PARTITION BY vintage.series_id, vintage.time_period
                ORDER BY
                    vintage.known_on,
                    vintage.retrieved_at,
                    vintage.document_id,
                    vintage.label_text,
                    vintage.observation_id
            ),
            CASE WHEN vintage.adds_up THEN followed.next_document_on END
        ) AS superseded_on
    FROM observation_vintage AS vintage
    INNER JOIN followed
        ON
            vintage.source_id = followed.source_id
            AND vintage.table_name = followed.table_name
            AND vintage.metric = followed.metric
            AND vintage.time_period = followed.time_period
            AND vintage.document_id = followed.document_id
)

UPDATE observation_vintage
SET superseded_on = latest.superseded_on
FROM latest
WHERE observation_vintage.observation_id = latest.observation_id;
