-- A missing value has no number, a suppressed one at most its bounds, every other status has a number. Never fill.
SELECT
    observation_id,
    obs_status,
    obs_value,
    value_low,
    value_high
FROM observation_vintage
WHERE
    (obs_status IN ('O', 'Q') AND obs_value IS NOT NULL)
    OR (obs_status = 'O' AND coalesce(value_low, value_high) IS NOT NULL)
    OR (obs_status NOT IN ('O', 'Q') AND coalesce(obs_value, value_low, value_high) IS NULL)
    OR obs_value < value_low
    OR obs_value > value_high
ORDER BY observation_id;
