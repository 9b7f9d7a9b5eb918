CREATE MACRO growth(of_metric, from_period, to_period) AS TABLE -- noqa: CP05
    WITH ends AS (
        SELECT
            earlier.series_id,
            earlier.source_id,
            earlier.reporter,
            earlier.subject,
            earlier.metric,
            earlier.harm,
            earlier.ref_area,
            earlier.dimensions,
            earlier.unit_measure,
            earlier.period_end AS from_end,
            earlier.obs_value AS from_value,
            later.obs_value AS to_value,
            later.period_end AS to_end,
            date_diff('month', earlier.period_start, later.period_start) / 12 AS years,
            [earlier.observation_id, later.observation_id] AS observation_ids
        FROM observation AS earlier
        INNER JOIN observation AS later ON earlier.series_id = later.series_id
        INNER JOIN metric ON earlier.metric = metric.metric
        WHERE
            earlier.metric = of_metric -- noqa: RF02
            AND earlier.time_period = from_period -- noqa: RF02
            AND later.time_period = to_period -- noqa: RF02
            AND earlier.period_end < later.period_end
            AND metric.measure <> 'rank'
    ),

    crossed AS (
        SELECT
            ends.series_id,
            list(break_in_series.title ORDER BY break_in_series.time_period, break_in_series.title) AS breaks_crossed,
            CASE
                WHEN
                    count(*) = count(break_in_series.bridge_metric)
                    AND count(DISTINCT break_in_series.bridge_metric) = 1
                    THEN any_value(break_in_series.bridge_metric)
            END AS bridge_metric
        FROM ends
        INNER JOIN break_in_series
            ON
                ends.series_id = break_in_series.series_id
                AND ends.from_end < break_in_series.starts_on
                AND ends.to_end >= break_in_series.starts_on
        GROUP BY ends.series_id
    ),

    bridged AS (
        SELECT
            ends.*,
            coalesce(crossed.breaks_crossed, []) AS breaks_crossed,
            crossed.bridge_metric,
            bridge.obs_value AS bridge_value,
            bridge.observation_id AS bridge_observation_id,
            CASE
                WHEN crossed.breaks_crossed IS NULL THEN ends.to_value
                ELSE bridge.obs_value
            END AS comparable_value
        FROM ends
        LEFT JOIN crossed ON ends.series_id = crossed.series_id
        LEFT JOIN observation AS bridge
            ON
                crossed.bridge_metric = bridge.metric
                AND ends.reporter = bridge.reporter
                AND ends.subject = bridge.subject
                AND ends.harm = bridge.harm
                AND ends.ref_area = bridge.ref_area
                AND ends.dimensions = bridge.dimensions
                AND bridge.time_period = to_period -- noqa: RF02
        QUALIFY row_number() OVER (PARTITION BY ends.series_id ORDER BY bridge.observation_id) = 1
    )

    SELECT
        source_id,
        reporter,
        subject,
        metric,
        harm,
        ref_area,
        dimensions,
        unit_measure,
        from_period AS from_period, -- noqa: AL09
        from_value,
        to_period AS to_period, -- noqa: AL09
        to_value,
        years,
        comparable_value / nullif(from_value, 0) AS fold_change,
        power(comparable_value / nullif(from_value, 0), 1 / nullif(years, 0)) - 1 AS cagr,
        breaks_crossed,
        CASE
            WHEN from_value IS NULL OR to_value IS NULL THEN 'one of the two values is missing or held back'
            WHEN from_value = 0 THEN 'grows from zero'
            WHEN comparable_value IS NULL THEN 'not comparable: ' || array_to_string(breaks_crossed, '; ')
            WHEN len(breaks_crossed) > 0
                THEN 'bridged by the publisher with ' || bridge_metric || ': ' || array_to_string(breaks_crossed, '; ')
        END AS reason,
        bridge_metric,
        bridge_value,
        CASE
            WHEN bridge_observation_id IS NULL THEN observation_ids
            ELSE list_append(observation_ids, bridge_observation_id)
        END AS observation_ids
    FROM bridged
    ORDER BY source_id, reporter, subject, harm, ref_area, cast(dimensions AS VARCHAR);
COMMENT ON MACRO TABLE growth -- noqa: PRS
IS 'growth(metric, from_period, to_period): one row a series that prints both periods, with fold_change and cagr (a year,
0.1 is 10 percent). Both are null across a declared break, with the reason, unless the publisher bridges it.';
