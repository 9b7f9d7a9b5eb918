-- Q7: supply side and demand side in one table: reports, also per head, tier, and what was remitted from where.
SELECT
    ref_area,
    area_name,
    trade_role,
    time_period,
    reports,
    round(reports_per_100000_people) AS reports_per_100000_people,
    tip_tier,
    suspicious_remittances_from_here
FROM country_panel
WHERE trade_role IS NOT NULL AND time_period BETWEEN '2019' AND '2024'
ORDER BY trade_role, ref_area, time_period;
