CREATE VIEW new_or_recycled AS
SELECT
    distinct_files.source_id,
    distinct_files.reporter,
    year(distinct_files.period_start) AS year,
    distinct_files.dimensions['file_type'] AS file_type,
    distinct_files.dimensions['technology'] AS technology,
    all_files.obs_value AS files,
    distinct_files.obs_value AS unique_files,
    100 * distinct_files.obs_value / nullif(all_files.obs_value, 0) AS unique_percent_of_files,
    [all_files.observation_id, distinct_files.observation_id] AS observation_ids
FROM observation AS distinct_files
INNER JOIN observation AS all_files
    ON
        distinct_files.source_id = all_files.source_id
        AND distinct_files.time_period = all_files.time_period
        AND distinct_files.dimensions['file_type'] = all_files.dimensions['file_type']
WHERE
    distinct_files.metric = 'files_unique_by_hash'
    AND all_files.metric = 'files_reported'
    AND distinct_files.freq = 'A'
    AND cardinality(all_files.dimensions) = 1;
COMMENT ON VIEW new_or_recycled
IS 'One row a year, kind of file and way of comparing: files reported, and how many of them are unique by hash. The rest
are copies of files in the same year''s reports; that a file is unique does not make it new to the clearinghouse.';
COMMENT ON COLUMN new_or_recycled.year IS 'Calendar year.';
COMMENT ON COLUMN new_or_recycled.file_type IS 'image, video or other; _T all.';
COMMENT ON COLUMN new_or_recycled.technology IS 'md5 (same bytes) or photodna_videntifier (looks alike).';
COMMENT ON COLUMN new_or_recycled.files IS 'Files reported.';
COMMENT ON COLUMN new_or_recycled.unique_files IS 'Files left when copies are counted once.';
COMMENT ON COLUMN new_or_recycled.unique_percent_of_files IS 'Unique files in percent of files reported.';
COMMENT ON COLUMN new_or_recycled.observation_ids IS 'The observations behind the row.';
