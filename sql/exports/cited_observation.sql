-- One row a series and period: its latest value with names in words and a sentence to cite it by. Totals are marked:
-- never add them to their parts.
-- metric_title: What is counted, in words.
-- subject_name: Whom the count is about; the printed name where no codelist knows it yet.
-- area_name: Name of the area, after ISO 3166-1.
-- harm_title: Kind of harm in words.
SELECT
    observation.source_id,
    metric.title AS metric_title,
    observation.time_period,
    coalesce(organisation.name, provisional.printed_name) AS subject_name,
    area.name AS area_name,
    harm.title AS harm_title,
    observation.dimensions,
    observation.comparator,
    observation.obs_value,
    observation.value_low,
    observation.value_high,
    observation.unit_measure,
    observation.obs_status,
    observation.is_total,
    observation.note,
    citation.citation,
    citation.url,
    observation.document_id,
    observation.observation_id
FROM observation
INNER JOIN citation ON observation.observation_id = citation.observation_id
LEFT JOIN metric ON observation.metric = metric.metric
LEFT JOIN organisation ON observation.subject = organisation.organisation
LEFT JOIN provisional_organisation AS provisional
    ON
        observation.subject = provisional.organisation
        AND observation.source_id = provisional.source_id
        AND observation.document_id = provisional.document_id
LEFT JOIN area ON observation.ref_area = area.ref_area
LEFT JOIN harm ON observation.harm = harm.harm;
