CREATE VIEW transcribed_vs_read AS
SELECT
    transcribed.reporter,
    transcribed.subject,
    transcribed.metric,
    transcribed.harm,
    transcribed.ref_area,
    transcribed.time_period,
    transcribed.unit_measure,
    transcribed.source_id AS transcribed_source_id,
    transcribed.obs_value AS transcribed_value,
    transcribed.comparator AS transcribed_comparator,
    printed.source_id AS read_source_id,
    printed.obs_value AS read_value,
    CASE
        WHEN transcribed.comparator = '=' AND printed.comparator = '=' THEN transcribed.obs_value <> printed.obs_value
        ELSE abs(transcribed.obs_value - printed.obs_value) > 0.05 * printed.obs_value
    END AS is_contradicted,
    transcribed.observation_id AS transcribed_observation_id,
    printed.observation_id AS read_observation_id
FROM observation AS transcribed
INNER JOIN observation AS printed
    ON
        transcribed.reporter = printed.reporter
        AND transcribed.subject = printed.subject
        AND transcribed.metric = printed.metric
        AND transcribed.harm = printed.harm
        AND transcribed.ref_area = printed.ref_area
        AND transcribed.time_period = printed.time_period
        AND (
            transcribed.dimensions = printed.dimensions
            OR (
                transcribed.dimensions['scope'] = 'all'
                AND cardinality(transcribed.dimensions) = 1
                AND cardinality(printed.dimensions) = 0
            )
        )
WHERE
    transcribed.method = 'transcribed'
    AND printed.method <> 'transcribed'
    AND transcribed.obs_value IS NOT NULL
    AND printed.obs_value IS NOT NULL;
COMMENT ON VIEW transcribed_vs_read
IS 'One row a transcribed value and a value that was read from a document by machine, of the same quantity and period.';
COMMENT ON COLUMN transcribed_vs_read.transcribed_source_id IS 'The transcription.';
COMMENT ON COLUMN transcribed_vs_read.transcribed_value IS 'What was transcribed.';
COMMENT ON COLUMN transcribed_vs_read.transcribed_comparator IS 'How it is meant: = exactly, ~ rounded.';
COMMENT ON COLUMN transcribed_vs_read.read_source_id IS 'The source read by machine.';
COMMENT ON COLUMN transcribed_vs_read.read_value IS 'What the document prints.';
COMMENT ON COLUMN transcribed_vs_read.is_contradicted
IS 'True where an exact value differs at all, or a rounded one by more than five percent: look at both.';
COMMENT ON COLUMN transcribed_vs_read.transcribed_observation_id IS 'The transcribed observation.';
COMMENT ON COLUMN transcribed_vs_read.read_observation_id IS 'The observation read by machine.';
