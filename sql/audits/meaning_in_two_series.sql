-- One meaning is one series: under two ids a restatement would be counted twice. Exact, rounded and bounded figures of
-- one meaning are series of their own (harmonise/); a figure that is missing or held back goes with the exact ones.
WITH meant AS (
    SELECT
        *,
        CASE WHEN obs_status IN ('O', 'Q') AND comparator <> '~' THEN '=' ELSE comparator END AS precision_of_value
    FROM observation_vintage
)

SELECT
    source_id,
    reporter,
    subject,
    metric,
    harm,
    ref_area,
    freq,
    unit_measure,
    dimensions,
    list(DISTINCT series_id) AS series_ids
FROM meant
GROUP BY
    source_id, reporter, subject, metric, harm, ref_area, freq, unit_measure, dimensions, precision_of_value
HAVING count(DISTINCT series_id) > 1
ORDER BY source_id, reporter, subject, metric, harm, ref_area;
