-- The view observation holds a series and period at most once; it leaves out only what was replaced whole.
WITH kept AS (
    SELECT
        series_id,
        time_period,
        bool_and(adds_up) AS replaceable
    FROM observation_vintage
    GROUP BY series_id, time_period
)

SELECT
    kept.series_id,
    kept.time_period,
    count(observation.observation_id) AS rows_in_observation
FROM kept
LEFT JOIN observation ON kept.series_id = observation.series_id AND kept.time_period = observation.time_period
GROUP BY kept.series_id, kept.time_period, kept.replaceable
HAVING count(observation.observation_id) > 1 OR (count(observation.observation_id) = 0 AND NOT kept.replaceable)
ORDER BY kept.series_id, kept.time_period;
