-- One meaning is one series: under two ids a restatement would be counted twice.
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
FROM observation_vintage
GROUP BY source_id, reporter, subject, metric, harm, ref_area, freq, unit_measure, dimensions
HAVING count(DISTINCT series_id) > 1
ORDER BY source_id, reporter, subject, metric, harm, ref_area;
