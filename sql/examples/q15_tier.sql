-- Q15: the tier beside reports. The Philippines stand in Tier 1 in every year from 2016 to 2025.
SELECT
    time_period,
    tip_tier,
    reports,
    detected_victims
FROM country_panel
WHERE ref_area = 'PHL' AND tip_tier IS NOT NULL
ORDER BY time_period;
