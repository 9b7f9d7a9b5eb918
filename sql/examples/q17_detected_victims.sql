-- Q17: SDG 16.2.2, victims of trafficking whom authorities detected, in the countries that have a role here.
SELECT
    ref_area,
    trade_role,
    time_period,
    detected_victims,
    detected_victims_status,
    detected_victims_source_id
FROM country_panel
WHERE trade_role IS NOT NULL AND (detected_victims IS NOT NULL OR detected_victims_status IS NOT NULL)
ORDER BY ref_area, time_period;
