-- Q14: what did the police spend for one operation? The budget of over 120 million pesos is quoted without its year, so
-- no quotient is given: it stands beside the operations for whoever knows the year.
SELECT
    budget.what,
    budget.comparator,
    budget.quoted_value AS pesos_a_year,
    coalesce(budget.time_period, 'year not stated') AS budget_period,
    funnel.universe,
    funnel.time_period AS operations_until,
    funnel.operations
FROM quoted AS budget
CROSS JOIN enforcement_funnel AS funnel
WHERE budget.quoted_id = 'B19' AND funnel.ref_area = 'PHL' AND funnel.operations IS NOT NULL
ORDER BY funnel.universe, funnel.time_period;
