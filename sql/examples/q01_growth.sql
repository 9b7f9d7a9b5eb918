-- Q1: how fast did reports grow, and may the two years be compared at all?
-- The Philippines from 2019 to 2023: 3.42 times. The world from 2014 to 2023: 32.7 times. The world from 2023 to 2024
-- only over the bridge that NCMEC gives, 29.2 million incidents against 36.2 million reports.
SELECT
    'Philippines' AS what,
    from_period,
    to_period,
    fold_change,
    cagr,
    reason
FROM growth('cybertip_reports', '2019', '2023')
WHERE ref_area = 'PHL'
UNION ALL
SELECT
    'world' AS what,
    from_period,
    to_period,
    fold_change,
    cagr,
    reason
FROM growth('cybertip_reports', '2014', '2023')
WHERE source_id = 'ncmec_transcribed' AND subject = '_T' AND ref_area = '_T' AND harm = '_T'
UNION ALL
SELECT
    'world, over the break' AS what,
    from_period,
    to_period,
    fold_change,
    cagr,
    reason
FROM growth('cybertip_reports', '2023', '2024')
WHERE source_id = 'ncmec_transcribed' AND subject = '_T' AND ref_area = '_T' AND harm = '_T';
