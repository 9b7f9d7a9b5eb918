-- Q20: reports before and after encryption, by brand. Facebook 17.84 million in 2023, 8.59 in 2024, 4.91 in 2025;
-- WhatsApp, encrypted all along, 1.39, 1.85 and 2.36. From 2024 duplicates are bundled too: read the breaks.
WITH breaks AS (
    SELECT
        time_period,
        subject,
        string_agg(DISTINCT title, '; ' ORDER BY title) AS titles
    FROM series_break
    WHERE source_id IN ('ncmec_by_esp', 'ncmec_transcribed')
    GROUP BY time_period, subject
)

SELECT
    counted.subject,
    counted.time_period,
    counted.obs_value / 1e6 AS million_reports,
    counted.comparator,
    string_agg(breaks.titles, '; ' ORDER BY breaks.titles) AS breaks_that_begin
FROM observation AS counted
LEFT JOIN breaks
    ON counted.time_period = breaks.time_period AND coalesce(breaks.subject, counted.subject) = counted.subject
WHERE
    counted.source_id = 'ncmec_transcribed'
    AND counted.metric = 'cybertip_reports'
    AND counted.subject IN ('facebook', 'whatsapp')
GROUP BY counted.subject, counted.time_period, counted.obs_value, counted.comparator
ORDER BY counted.subject, counted.time_period;
