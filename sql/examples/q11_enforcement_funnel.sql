-- Q11: from operations to victims, arrests and convictions. Of the 208 operations of 2020: 3.22 victims and 1.23
-- arrests for each, 35.2 convictions for 100 arrests. Universes are not one series.
SELECT
    ref_area,
    universe,
    counting,
    time_period,
    operations,
    victims,
    arrests,
    convictions,
    round(victims_per_operation, 2) AS victims_per_operation,
    round(arrests_per_operation, 2) AS arrests_per_operation,
    round(convictions_percent_of_arrests, 1) AS convictions_percent_of_arrests
FROM enforcement_funnel
ORDER BY ref_area, universe, time_period;
