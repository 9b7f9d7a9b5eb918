-- Every value has a unit, and it is its metric's: a number in another unit is a wrong number.
SELECT
    observation_vintage.observation_id,
    observation_vintage.metric,
    observation_vintage.unit_measure,
    metric.unit_measure AS unit_of_metric
FROM observation_vintage
LEFT JOIN metric ON observation_vintage.metric = metric.metric
WHERE
    coalesce(observation_vintage.unit_measure, '') = ''
    OR observation_vintage.unit_measure <> coalesce(metric.unit_measure, '')
ORDER BY observation_vintage.observation_id;
