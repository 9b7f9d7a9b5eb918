-- No figure is about a time before 1990 or later than the year after the build.
SELECT
    observation_vintage.observation_id,
    observation_vintage.time_period,
    observation_vintage.period_start,
    observation_vintage.period_end
FROM observation_vintage
CROSS JOIN release_info
WHERE
    year(observation_vintage.period_start) < 1990
    OR year(observation_vintage.period_end) > year(release_info.built_at) + 1
ORDER BY observation_vintage.observation_id;
