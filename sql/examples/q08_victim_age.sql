-- Q8: how old are the victims? Bands differ from source to source and are not added. The police of the Philippines
-- since 2022: 114 of 5 to 9 years, 193 of 10 to 14, 201 of 15 to 19, of 636.
SELECT
    source_id,
    universe,
    time_period,
    age_band,
    victims,
    victims_of_all_ages,
    round(percent_of_all_ages, 1) AS percent_of_all_ages
FROM victim_age
WHERE ref_area = 'PHL' AND victims IS NOT NULL AND harm <> 'trafficking_forced_labour'
ORDER BY source_id, time_period, age_band;

-- What is only said: a median of 11 years, 9 percent of three years or younger, over half of twelve or younger.
SELECT
    quoted_id,
    what,
    comparator,
    quoted_value,
    unit_measure
FROM quoted
WHERE quoted_id IN ('B6', 'B7', 'B17')
ORDER BY quoted_id, part;
