-- Q4: how many reports hold too little to act on? In percent of informational reports and referrals together:
-- 53.9, 37.4, 50.9, 49.7 and 21.6 from 2020 to 2024 over all recipients; by country in 2024 United Kingdom 48.9,
-- Australia 60.5, Philippines 20.7, India 32.4, United States 19.4. By platform nobody publishes it.
SELECT
    year,
    coalesce(recipient, '(area)') AS recipient,
    ref_area,
    informational,
    referred,
    round(informational_percent_of_both, 1) AS informational_percent_of_both
FROM minimum_reporting
WHERE recipient = '_T' OR (recipient IS NULL AND year = 2024)
ORDER BY year, recipient, ref_area;
