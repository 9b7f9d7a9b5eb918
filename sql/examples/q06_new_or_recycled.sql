-- Q6: is it new or seen before? Unique by MD5: images 53.9 percent in 2020 and 58.9 in 2023, videos 29.0 and 35.6.
SELECT
    year,
    file_type,
    files,
    unique_files,
    round(unique_percent_of_files, 1) AS unique_percent_of_files
FROM new_or_recycled
WHERE technology = 'md5' AND file_type IN ('image', 'video')
ORDER BY file_type, year;
