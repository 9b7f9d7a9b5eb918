-- Q12: did operations go on in the lockdown? Over 16 operations and 50 victims "in the past few months" of 2020, as
-- quoted, beside what the running counts of each universe say came in between.
SELECT
    quoted_id,
    what,
    comparator,
    quoted_value
FROM quoted
WHERE quoted_id = 'B20' AND part <= 3
ORDER BY part;

SELECT
    dimensions['universe'] AS universe,
    metric,
    previous_period,
    time_period,
    difference,
    falls
FROM cumulative_change
WHERE ref_area = 'PHL' AND metric IN ('operations_cumulative', 'victims_rescued_cumulative') AND difference IS NOT NULL
ORDER BY universe, metric, time_period;
