-- One row a series and period whose value a later document changed. A new label alone is in label_rename.
-- observation_ids: The observation of every vintage, in the order of value_history: cite them by it.
WITH vintage AS (
    SELECT
        series_id,
        time_period,
        list(
            observation_id ORDER BY coalesce(published_on, cast(retrieved_at AS DATE)), retrieved_at, document_id
        ) AS observation_ids
    FROM observation_vintage
    GROUP BY series_id, time_period
)

SELECT
    restatement.*,
    vintage.observation_ids
FROM restatement
INNER JOIN vintage
    ON restatement.series_id = vintage.series_id AND restatement.time_period = vintage.time_period;
