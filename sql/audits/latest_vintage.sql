-- The view observation holds the latest vintage of every series and period, as ordered here from the documents' days,
-- and nothing else; it leaves out only what was replaced whole.
WITH ordered AS (
    SELECT
        observation_id,
        series_id,
        time_period,
        row_number() OVER (
            PARTITION BY series_id, time_period
            ORDER BY
                coalesce(published_on, cast(retrieved_at AS DATE)) DESC,
                retrieved_at DESC,
                document_id DESC,
                label_text DESC,
                observation_id DESC
        ) AS place,
        adds_up AND document_id <> first_value(document_id) OVER (
            PARTITION BY source_id, table_name, metric, time_period
            ORDER BY coalesce(published_on, cast(retrieved_at AS DATE)) DESC, retrieved_at DESC, document_id DESC
        ) AS is_replaced
    FROM observation_vintage
)

SELECT
    ordered.observation_id,
    ordered.series_id,
    ordered.time_period,
    ordered.place,
    ordered.is_replaced,
    observation.observation_id IS NOT NULL AS is_in_observation
FROM ordered
LEFT JOIN observation ON ordered.observation_id = observation.observation_id
WHERE (observation.observation_id IS NOT NULL) <> (ordered.place = 1 AND NOT ordered.is_replaced)
ORDER BY ordered.observation_id;
