CREATE VIEW break_in_series AS
WITH series AS (
    SELECT DISTINCT
        series_id,
        source_id,
        metric,
        subject,
        ref_area
    FROM observation_vintage
)

SELECT
    series.series_id,
    series.source_id,
    series.metric,
    series_break.break_id,
    first_day(series_break.time_period) AS starts_on,
    series_break.time_period,
    series_break.title,
    series_break.description,
    series_break.bridge_metric
FROM series
INNER JOIN series_break
    ON
        series.source_id = coalesce(series_break.source_id, series.source_id)
        AND series.metric = coalesce(series_break.metric, series.metric)
        AND series.subject = coalesce(series_break.subject, series.subject)
        AND series.ref_area = coalesce(series_break.ref_area, series.ref_area);
COMMENT ON VIEW break_in_series
IS 'One row a series and a break that concerns it: what ends before starts_on must not be compared with what is later.';
COMMENT ON COLUMN break_in_series.starts_on IS 'First day of the new definition.';
COMMENT ON COLUMN break_in_series.time_period IS 'First period of the new definition.';
