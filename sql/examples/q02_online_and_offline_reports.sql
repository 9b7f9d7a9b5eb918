-- Q2: how many online reports stand against how many case-based ones? As the podcast says: 48,000 a week, 250,000 a
-- year, 43 a year. The first two do not go together (conflict C2): 48,000 a week would be 2,496,000 a year. No quotient
-- is given, for it would have to choose between them.
SELECT
    quoted_id,
    what,
    quoted_value,
    unit_measure,
    rate_per,
    quoted_value * CASE rate_per WHEN 'week' THEN 52 ELSE 1 END AS quoted_value_a_year,
    conflict_ids,
    conflict_status
FROM quoted
WHERE quoted_id = 'B11'
ORDER BY part;

SELECT
    conflict_id,
    verdict,
    said_beside,
    arithmetic
FROM conflict_register
WHERE conflict_id = 'C2';
