CREATE VIEW cumulative_change AS
SELECT
    counted.source_id,
    counted.reporter,
    counted.metric,
    counted.harm,
    counted.ref_area,
    counted.dimensions,
    lag(counted.time_period) OVER in_order AS previous_period,
    counted.time_period,
    lag(counted.obs_value) OVER in_order AS previous_value,
    counted.obs_value,
    counted.unit_measure,
    counted.obs_value - lag(counted.obs_value) OVER in_order AS difference,
    counted.obs_value < lag(counted.obs_value) OVER in_order AS falls,
    lag(counted.observation_id) OVER in_order AS previous_observation_id,
    counted.observation_id
FROM observation AS counted
INNER JOIN metric ON counted.metric = metric.metric
WHERE metric.measure = 'cumulative' AND counted.obs_value IS NOT NULL
WINDOW
    in_order AS (
        PARTITION BY
            counted.source_id, counted.reporter, counted.subject, counted.metric, counted.harm, counted.ref_area,
            counted.dimensions, counted.comparator
        ORDER BY counted.period_end, counted.observation_id
    );
COMMENT ON VIEW cumulative_change
IS 'One row a snapshot of a running count, with the snapshot before it of the same universe, and only of that.';
COMMENT ON COLUMN cumulative_change.previous_period IS 'When the snapshot before was taken; null for the first.';
COMMENT ON COLUMN cumulative_change.previous_value IS 'What it said.';
COMMENT ON COLUMN cumulative_change.difference IS 'What came in between, in unit_measure.';
COMMENT ON COLUMN cumulative_change.falls
IS 'True where the running count falls, which it cannot: a change of universe or an error of the publisher.';
COMMENT ON COLUMN cumulative_change.previous_observation_id IS 'The observation of the snapshot before.';
