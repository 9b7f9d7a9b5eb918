CREATE VIEW repeated_value AS
WITH pairs AS (
    SELECT
        later.*,
        earlier.observation_id AS earlier_observation_id,
        earlier.document_id AS earlier_document_id,
        earlier.time_period AS earlier_time_period,
        earlier.obs_value AS earlier_obs_value,
        CASE WHEN date_diff('day', earlier.period_end, later.period_start) = 1 THEN 'next' ELSE 'year' END AS distance
    FROM observation AS later
    INNER JOIN observation AS earlier
        ON
            later.series_id = earlier.series_id
            AND later.period_start > earlier.period_end
            AND (
                date_diff('day', earlier.period_end, later.period_start) = 1
                OR date_diff('month', earlier.period_start, later.period_start) = 12
            )
),

judged AS (
    SELECT
        *,
        obs_value = earlier_obs_value AND obs_value <> 0 AND comparator = '=' AS repeated,
        count(*) FILTER (WHERE obs_value <> 0) OVER block AS block_values,
        count(*) FILTER (WHERE repeated) OVER block AS block_repeats,
        count(*) FILTER (WHERE obs_value IS DISTINCT FROM earlier_obs_value) OVER block = 0 AS block_equal
    FROM pairs
    WINDOW
        block AS (
            PARTITION BY source_id, reporter, subject, metric, freq, time_period, distance, map_keys(dimensions)
        )
)

SELECT
    source_id,
    series_id,
    reporter,
    subject,
    metric,
    harm,
    ref_area,
    dimensions,
    freq,
    distance,
    earlier_time_period,
    time_period,
    obs_value,
    unit_measure,
    is_total,
    block_values,
    block_repeats,
    block_equal AND block_values >= 3 AS is_whole_block,
    document_id = earlier_document_id AS is_same_document,
    CASE
        WHEN unit_measure NOT IN ('percent', 'ratio')
            THEN length(rtrim(cast(cast(obs_value AS BIGINT) AS VARCHAR), '0'))
    END AS significant_digits,
    earlier_observation_id,
    observation_id
FROM judged
WHERE
    repeated
    AND ((obs_value >= 1000 AND unit_measure NOT IN ('percent', 'ratio')) OR (block_equal AND block_values >= 3));
COMMENT ON VIEW repeated_value
IS 'One row a figure equal to the one of the period before or a year before: 1,000 or more, or with its whole block.
It may be a copy made by mistake: look at both documents.';
COMMENT ON COLUMN repeated_value.distance IS 'next: the period just before; year: the same part of the year before.';
COMMENT ON COLUMN repeated_value.earlier_time_period IS 'The earlier period, of the same length.';
COMMENT ON COLUMN repeated_value.block_values
IS 'Figures other than zero in the block: same source, subject, metric, kinds of breakdown and pair of periods.';
COMMENT ON COLUMN repeated_value.block_repeats IS 'How many of them equal the earlier period.';
COMMENT ON COLUMN repeated_value.is_whole_block
IS 'True where every figure of the block, three or more, is repeated.';
COMMENT ON COLUMN repeated_value.is_same_document
IS 'True where one document prints both: then no mix-up of files on our side made the repeat.';
COMMENT ON COLUMN repeated_value.significant_digits
IS 'Digits of the value without zeros at its end: a figure rounded to few repeats by chance. Null for shares.';
COMMENT ON COLUMN repeated_value.earlier_observation_id IS 'The observation of the earlier period.';
