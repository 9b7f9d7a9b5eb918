-- One series is one meaning: two under one id would show up as restatements of each other.
SELECT
    series_id,
    count(DISTINCT concat_ws(
        chr(31), source_id, reporter, subject, metric, harm, ref_area, freq, unit_measure, cast(dimensions AS VARCHAR)
    )) AS meanings
FROM observation_vintage
GROUP BY series_id
HAVING
    count(DISTINCT concat_ws(
        chr(31), source_id, reporter, subject, metric, harm, ref_area, freq, unit_measure, cast(dimensions AS VARCHAR)
    )) > 1
ORDER BY series_id;
