-- Q21: what stands behind a briefing on one country? Every figure with its citation and the caveats of its source;
-- `lightwell briefing --area PHL` makes the whole folder.
SELECT
    observed.metric,
    observed.time_period,
    observed.obs_value,
    observed.unit_measure,
    observed.obs_status,
    citation.citation,
    array_to_string(source.caveats, ' ') AS caveats
FROM observation AS observed
INNER JOIN citation ON observed.observation_id = citation.observation_id
INNER JOIN source ON observed.source_id = source.source_id
WHERE observed.ref_area = 'PHL' AND observed.source_id NOT IN ('unodc_glotip', 'worldbank_population')
ORDER BY observed.metric, observed.time_period, observed.observation_id;
