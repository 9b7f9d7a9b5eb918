-- The period's name, its frequency and its first and last day say the same thing.
WITH expected AS (
    SELECT
        observation_id,
        freq,
        time_period,
        period_start,
        period_end,
        CASE
            WHEN freq = 'A' AND regexp_full_match(time_period, '[0-9]{4}') THEN make_date(year(period_start), 1, 1)
            WHEN freq = 'S' AND regexp_full_match(time_period, '[0-9]{4}-S[12]')
                THEN make_date(year(period_start), 6 * cast(right(time_period, 1) AS INTEGER) - 5, 1)
            WHEN freq = 'Q' AND regexp_full_match(time_period, '[0-9]{4}-Q[1-4]')
                THEN make_date(year(period_start), 3 * cast(right(time_period, 1) AS INTEGER) - 2, 1)
            WHEN freq = 'M' AND regexp_full_match(time_period, '[0-9]{4}-(0[1-9]|1[0-2])')
                THEN make_date(year(period_start), cast(right(time_period, 2) AS INTEGER), 1)
            WHEN freq = 'D' THEN try_cast(time_period AS DATE)
            WHEN freq = '_O' AND regexp_full_match(time_period, '[0-9]{4}-[0-9]{2}-[0-9]{2}/P[0-9]+[YMD]')
                THEN try_cast(left(time_period, 10) AS DATE)
        END AS first_day,
        try_cast(regexp_extract(time_period, '/P([0-9]+)[YMD]$', 1) AS INTEGER) AS length,
        right(time_period, 1) AS length_unit,
        CASE freq WHEN 'A' THEN 12 WHEN 'S' THEN 6 WHEN 'Q' THEN 3 WHEN 'M' THEN 1 ELSE 0 END AS months
    FROM observation_vintage
)

SELECT
    observation_id,
    freq,
    time_period,
    period_start,
    period_end
FROM expected
WHERE
    first_day IS NULL
    OR left(time_period, 4) <> strftime(period_start, '%Y')
    OR period_start <> first_day
    OR (freq = 'D' AND period_end <> period_start)
    OR (freq = '_O' AND period_end <> CASE length_unit
        WHEN 'Y' THEN first_day + to_years(length)
        WHEN 'M' THEN first_day + to_months(length)
        ELSE first_day + to_days(length)
    END - INTERVAL 1 DAY)
    OR (months > 0 AND period_end <> first_day + to_months(months) - INTERVAL 1 DAY)
ORDER BY observation_id;
