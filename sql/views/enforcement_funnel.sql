CREATE VIEW enforcement_funnel AS
WITH stages AS (
    SELECT
        source_id,
        reporter,
        ref_area,
        coalesce(dimensions['universe'], source_id) AS universe,
        CASE WHEN suffix(metric, '_cumulative') THEN 'so far' ELSE 'in the period' END AS counting,
        time_period,
        period_end,
        max(obs_value) FILTER (WHERE metric IN ('operations_cumulative', 'operations')) AS operations,
        max(obs_value) FILTER (WHERE metric IN ('investigations', 'cases_opened')) AS investigations,
        max(obs_value) FILTER (
            WHERE metric IN ('victims_rescued_cumulative', 'victims_identified', 'children_safeguarded')
        ) AS victims,
        max(obs_value) FILTER (WHERE metric IN ('suspects_arrested_cumulative', 'suspects_arrested')) AS arrests,
        max(obs_value) FILTER (WHERE metric IN ('convictions_cumulative', 'convictions')) AS convictions,
        count(*) FILTER (WHERE comparator <> '=') AS rounded_or_bounds,
        list(observation_id ORDER BY metric, observation_id) AS observation_ids
    FROM observation
    WHERE
        metric IN (
            'operations_cumulative', 'operations', 'investigations', 'cases_opened', 'victims_rescued_cumulative',
            'victims_identified', 'children_safeguarded', 'suspects_arrested_cumulative', 'suspects_arrested',
            'convictions_cumulative', 'convictions'
        )
        AND coalesce(dimensions['age_group'], '_T') = '_T'
        AND obs_value IS NOT NULL
    GROUP BY
        source_id,
        reporter,
        ref_area,
        coalesce(dimensions['universe'], source_id),
        dimensions,
        suffix(metric, '_cumulative'),
        time_period,
        period_end
)

SELECT
    source_id,
    reporter,
    ref_area,
    universe,
    counting,
    time_period,
    operations,
    investigations,
    victims,
    arrests,
    convictions,
    victims / nullif(operations, 0) AS victims_per_operation,
    arrests / nullif(operations, 0) AS arrests_per_operation,
    100 * convictions / nullif(arrests, 0) AS convictions_percent_of_arrests,
    rounded_or_bounds,
    observation_ids
FROM stages;
COMMENT ON VIEW enforcement_funnel
IS 'One row a universe of cases and period (or snapshot): from operations to victims, arrests and convictions. Universes
are never added or compared: each counts its own cases. Who is convicted in a period was mostly arrested before it.';
COMMENT ON COLUMN enforcement_funnel.universe
IS 'Which cases are counted; the source where it counts one universe only.';
COMMENT ON COLUMN enforcement_funnel.counting IS 'so far: a running count at the end of the period; or in the period.';
COMMENT ON COLUMN enforcement_funnel.operations IS 'Operations of the police.';
COMMENT ON COLUMN enforcement_funnel.investigations IS 'Investigations or cases opened.';
COMMENT ON COLUMN enforcement_funnel.victims
IS 'Victims rescued, identified or safeguarded, in the publisher''s words.';
COMMENT ON COLUMN enforcement_funnel.arrests IS 'Suspects arrested.';
COMMENT ON COLUMN enforcement_funnel.convictions IS 'Convictions.';
COMMENT ON COLUMN enforcement_funnel.victims_per_operation IS 'Victims for each operation.';
COMMENT ON COLUMN enforcement_funnel.arrests_per_operation IS 'Arrests for each operation.';
COMMENT ON COLUMN enforcement_funnel.convictions_percent_of_arrests IS 'Convictions in percent of arrests.';
COMMENT ON COLUMN enforcement_funnel.rounded_or_bounds IS 'How many of the values are rounded or bounds.';
COMMENT ON COLUMN enforcement_funnel.observation_ids IS 'The observations behind the row.';
