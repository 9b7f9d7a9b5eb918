CREATE VIEW conflict_amount AS
WITH held AS (
    SELECT
        listed.conflict_id,
        listed.value_key,
        min(coalesce(observation.obs_value, observation.value_low)) AS obs_value,
        min(observation.observation_id) AS observation_id
    FROM quoted_conflict_value AS listed
    INNER JOIN observation
        ON
            listed.metric = observation.metric
            AND listed.subject = observation.subject
            AND listed.ref_area = observation.ref_area
            AND listed.time_period = observation.time_period
            AND listed.unit_measure = observation.unit_measure
            AND listed.harm = observation.harm
            AND coalesce(listed.source_id, observation.source_id) = observation.source_id
            AND coalesce(listed.reporter, observation.reporter) = observation.reporter
    WHERE
        coalesce(observation.obs_value, observation.value_low) IS NOT NULL
        AND CASE
            WHEN listed.dimension IS NULL
                THEN len(list_distinct(list_append(map_values(observation.dimensions), '_T'))) = 1
            ELSE observation.dimensions[split_part(listed.dimension, '=', 1)] = split_part(listed.dimension, '=', 2)
        END
    GROUP BY listed.conflict_id, listed.value_key
    HAVING count(DISTINCT coalesce(observation.obs_value, observation.value_low)) = 1
)

SELECT
    listed.conflict_id,
    listed.value_key,
    listed.said_by,
    listed.what,
    coalesce(held.obs_value, listed.amount, quoted.quoted_value, listed.value_low, quoted.value_low) AS amount,
    coalesce(listed.value_low, quoted.value_low) AS value_low,
    coalesce(listed.value_high, quoted.value_high) AS value_high,
    coalesce(listed.comparator, quoted.comparator) AS comparator,
    coalesce(listed.unit_measure, quoted.unit_measure) AS unit_measure,
    coalesce(listed.rate_per, quoted.rate_per) AS rate_per,
    coalesce(listed.term, quoted.quoted_term) AS term,
    coalesce(listed.time_period, quoted.time_period) AS time_period,
    coalesce(listed.ref_area, quoted.ref_area) AS ref_area,
    CASE
        WHEN held.observation_id IS NOT NULL THEN 'warehouse'
        WHEN listed.quoted_id IS NOT NULL THEN 'quoted'
        ELSE 'register'
    END AS taken_from,
    listed.amount AS register_amount,
    held.observation_id,
    listed.quoted_id,
    listed.part,
    listed.evidence,
    coalesce(listed.citation, concat(
        quoted_text.publisher, ', ', quoted_text.title, ', characters ', quoted.char_start, ' to ', quoted.char_end,
        ', SHA-256 ', quoted.text_sha256
    )) AS citation
FROM quoted_conflict_value AS listed
LEFT JOIN held ON listed.conflict_id = held.conflict_id AND listed.value_key = held.value_key
LEFT JOIN quoted_figure AS quoted ON listed.quoted_id = quoted.quoted_id AND listed.part = quoted.part
LEFT JOIN quoted_document AS quoted_text ON quoted.quoted_document = quoted_text.quoted_document;
COMMENT ON VIEW conflict_amount
IS 'One row a value that stands in a conflict with a quoted figure: the release''s own observation where it holds just
one value for it, else the quote''s, else the register''s, each with its citation.';
COMMENT ON COLUMN conflict_amount.amount IS 'The value that the arithmetic takes; of a range its lower end.';
COMMENT ON COLUMN conflict_amount.taken_from IS 'warehouse (observation_id says which), quoted or register.';
COMMENT ON COLUMN conflict_amount.register_amount IS 'The value as the register has it, whatever the warehouse holds.';
COMMENT ON COLUMN conflict_amount.citation IS 'Where the value is said; lightwell cite gives that of an observation.';
