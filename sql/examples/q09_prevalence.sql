-- Q9: how many are affected? Estimates with their method; of what was searched and not measured, a missing row.
-- The study of 2020: 23,333 addresses in 2014 and 81,723 in 2017 (3.50 times), 43 and 149 of 10,000 (3.47 times).
SELECT
    study,
    estimation_method,
    population_of,
    study_area,
    time_period,
    metric,
    comparator,
    obs_value,
    value_low,
    value_high,
    unit_measure
FROM prevalence_estimate
ORDER BY study, metric, time_period;

SELECT
    metric,
    dimensions['study'] AS study,
    round(fold_change, 2) AS fold_change
FROM (
    SELECT * FROM growth('ip_addresses_used', '2014', '2017')
    UNION ALL BY NAME
    SELECT * FROM growth('ip_addresses_used_rate', '2014', '2017')
) AS grown
ORDER BY metric, study;
