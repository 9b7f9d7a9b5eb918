CREATE MACRO trend(of_metric) AS TABLE -- noqa: CP05
    WITH series AS (
        SELECT
            observed.*,
            lag(observed.time_period) OVER in_order AS previous_period,
            lag(observed.obs_value) OVER in_order AS previous_value,
            lag(observed.period_end) OVER in_order AS previous_end,
            lag(observed.observation_id) OVER in_order AS previous_observation_id
        FROM observation AS observed
        INNER JOIN metric ON observed.metric = metric.metric
        WHERE observed.metric = of_metric AND metric.measure <> 'rank' -- noqa: RF02
        WINDOW in_order AS (PARTITION BY observed.series_id ORDER BY observed.period_start)
    ),

    crossed AS (
        SELECT
            series.observation_id,
            list(break_in_series.title ORDER BY break_in_series.time_period, break_in_series.title) AS breaks
        FROM series
        INNER JOIN break_in_series
            ON
                series.series_id = break_in_series.series_id
                AND series.previous_end < break_in_series.starts_on
                AND series.period_end >= break_in_series.starts_on
        GROUP BY series.observation_id
    )

    SELECT
        series.source_id,
        series.reporter,
        series.subject,
        series.metric,
        series.harm,
        series.ref_area,
        series.dimensions,
        series.freq,
        series.time_period,
        series.obs_value,
        series.unit_measure,
        series.obs_status,
        series.previous_period,
        series.previous_value,
        CASE
            WHEN crossed.breaks IS NULL
                THEN 100 * (series.obs_value - series.previous_value) / nullif(series.previous_value, 0)
        END AS change_percent_of_previous,
        coalesce(crossed.breaks, []) AS breaks,
        series.observation_id,
        series.previous_observation_id
    FROM series
    LEFT JOIN crossed ON series.observation_id = crossed.observation_id
    ORDER BY
        series.source_id, series.reporter, series.subject, series.harm, series.ref_area,
        cast(series.dimensions AS VARCHAR), series.freq, series.period_start;
COMMENT ON MACRO TABLE trend -- noqa: PRS
IS 'trend(metric): one row an observation, with the value before it in its series and the change in percent of that value.
The change is null where a declared break lies between the two; breaks names it. Parts and totals stand side by side.';
