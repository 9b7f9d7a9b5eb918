-- Q10: reductions of prevalence, each with its area, method and years; 79 percent and "up to" 86 are never averaged.
SELECT
    'study' AS found_in,
    study AS said_by,
    study_area,
    estimation_method AS measured_by,
    time_period,
    comparator,
    obs_value AS reduction_percent
FROM prevalence_estimate
WHERE metric = 'minors_available_reduction'
UNION ALL
SELECT
    'quoted' AS found_in,
    quoted_id AS said_by,
    ref_area AS study_area,
    what AS measured_by,
    time_period,
    comparator,
    quoted_value AS reduction_percent
FROM quoted
WHERE quoted_id IN ('A7', 'B1') AND unit_measure = 'percent'
ORDER BY found_in, said_by;
