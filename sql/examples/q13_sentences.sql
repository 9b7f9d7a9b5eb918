-- Q13: up to 15 years for a trafficker after a plea, one or two for an offender who directed the abuse from abroad.
SELECT
    quoted_id,
    part,
    what,
    comparator,
    quoted_value,
    value_low,
    value_high,
    unit_measure,
    citation
FROM quoted
WHERE quoted_id IN ('B15', 'B16')
ORDER BY quoted_id, part;
