CREATE VIEW prevalence_estimate AS
SELECT
    estimated.source_id,
    estimated.reporter,
    estimated.dimensions['study'] AS study,
    estimated.dimensions['method'] AS estimation_method,
    estimated.dimensions['population'] AS population_of,
    estimated.dimensions['geography'] AS study_area,
    estimated.ref_area,
    estimated.metric,
    estimated.harm,
    estimated.time_period,
    estimated.obs_value,
    estimated.value_low,
    estimated.value_high,
    estimated.comparator,
    estimated.unit_measure,
    estimated.obs_status,
    estimated.note,
    estimated.cited_url,
    estimated.observation_id
FROM observation AS estimated
WHERE estimated.dimensions['method'] IS NOT NULL OR estimated.metric = 'people_posing_threat';
COMMENT ON VIEW prevalence_estimate
IS 'One row an estimate as published, with its method, population and area. Estimates of different methods, populations
or areas are never pooled, averaged or compared; what was not measured is a missing row.';
COMMENT ON COLUMN prevalence_estimate.study IS 'The study.';
COMMENT ON COLUMN prevalence_estimate.estimation_method
IS 'How: capture_recapture, network_scale_up, survey, case_review, undercover_observation ...';
COMMENT ON COLUMN prevalence_estimate.population_of IS 'Of whom.';
COMMENT ON COLUMN prevalence_estimate.study_area IS 'Where, in the study''s own bounds.';
