-- One document says one thing of a series and period. Of two values, one would hide the other.
SELECT
    document_id,
    series_id,
    time_period,
    list(observation_id ORDER BY observation_id) AS observation_ids
FROM observation_vintage
GROUP BY document_id, series_id, time_period
HAVING
    count(DISTINCT coalesce(obs_value, -1)) > 1
    OR count(DISTINCT obs_status) > 1
    OR count(DISTINCT comparator) > 1
    OR count(DISTINCT coalesce(value_low, -1)) > 1
    OR count(DISTINCT coalesce(value_high, -1)) > 1
ORDER BY document_id, series_id, time_period;
