-- Q16: suspicious transactions by universe. Study 3: 68,214 reports in 2021 and 92,200 in 2022, worth 996.7 and 478.3
-- million pesos: 14,611 and 5,187 for each. Beside them the CyberTipline reports of the same year.
SELECT
    filed.universe,
    filed.time_period,
    filed.reports,
    filed.amount,
    round(filed.amount_per_report) AS amount_per_report,
    panel.reports AS cybertip_reports,
    filed.reports / panel.reports AS transaction_reports_per_cybertip
FROM suspicious_transactions AS filed
LEFT JOIN country_panel AS panel
    ON filed.ref_area = panel.ref_area AND filed.time_period = panel.time_period
ORDER BY filed.universe, filed.time_period;
