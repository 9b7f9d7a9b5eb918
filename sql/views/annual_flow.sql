CREATE VIEW annual_flow AS
WITH flow AS (
    SELECT
        observation.*,
        year(observation.period_start) AS year
    FROM observation
    INNER JOIN metric ON observation.metric = metric.metric
    WHERE
        metric.measure = 'flow'
        AND metric.additive = 'yes'
        AND observation.freq IN ('A', 'S', 'Q', 'M')
        AND observation.obs_value IS NOT NULL
        AND year(observation.period_start) = year(observation.period_end)
),

part AS (
    SELECT
        source_id,
        reporter,
        subject,
        metric,
        harm,
        ref_area,
        dimensions,
        comparator,
        unit_measure,
        is_total,
        year,
        freq,
        count(*) AS periods,
        sum(obs_value) AS obs_value,
        list(observation_id ORDER BY time_period) AS observation_ids,
        list(time_period ORDER BY time_period) AS time_periods
    FROM flow
    GROUP BY
        source_id,
        reporter,
        subject,
        metric,
        harm,
        ref_area,
        dimensions,
        comparator,
        unit_measure,
        is_total,
        year,
        freq
)

SELECT
    source_id,
    reporter,
    subject,
    metric,
    harm,
    ref_area,
    dimensions,
    comparator,
    unit_measure,
    is_total,
    year,
    obs_value,
    freq AS made_of,
    time_periods,
    observation_ids
FROM part
WHERE periods = CASE freq WHEN 'A' THEN 1 WHEN 'S' THEN 2 WHEN 'Q' THEN 4 ELSE 12 END
QUALIFY row_number() OVER (
    PARTITION BY
        source_id,
        reporter,
        subject,
        metric,
        harm,
        ref_area,
        dimensions,
        comparator,
        unit_measure,
        is_total,
        year
    ORDER BY CASE freq WHEN 'A' THEN 1 WHEN 'S' THEN 2 WHEN 'Q' THEN 3 ELSE 4 END
) = 1;
COMMENT ON VIEW annual_flow
IS 'One row a series and calendar year: the annual figure as printed, else the sum of half-years, quarters or months,
only where they cover the whole year. Flows that may be added over time; a year with a part missing has no row.';
COMMENT ON COLUMN annual_flow.year IS 'Calendar year.';
COMMENT ON COLUMN annual_flow.obs_value IS 'The year''s value in unit_measure.';
COMMENT ON COLUMN annual_flow.made_of IS 'A as printed; S, Q or M: added up from half-years, quarters or months.';
COMMENT ON COLUMN annual_flow.time_periods IS 'The periods that were added; together they are the year.';
COMMENT ON COLUMN annual_flow.observation_ids IS 'The observations behind the value.';
