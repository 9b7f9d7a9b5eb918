-- Q19: which laws and events can have moved the numbers, and which series do they concern?
SELECT
    event_date,
    title,
    coalesce(ref_area, 'everywhere') AS area,
    source_id,
    metric,
    subject,
    citation
FROM event
ORDER BY event_date, event_id;
