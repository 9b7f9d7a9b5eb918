-- The view observation holds every series and period exactly once.
SELECT
    series_id,
    time_period,
    count(*) FILTER (WHERE latest) AS rows_in_observation
FROM (
    SELECT
        series_id,
        time_period,
        TRUE AS latest
    FROM observation
    UNION ALL
    SELECT
        series_id,
        time_period,
        FALSE AS latest
    FROM observation_vintage
) AS every_row
GROUP BY series_id, time_period
HAVING count(*) FILTER (WHERE latest) <> 1
ORDER BY series_id, time_period;
