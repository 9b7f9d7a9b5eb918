CREATE VIEW silence AS
WITH said AS (
    SELECT
        reporter,
        subject,
        metric,
        period_start,
        period_end,
        time_period,
        obs_status = 'O' AND coalesce(dimensions['disclosure'] = 'none', FALSE) AS is_silent,
        cited_url,
        note,
        observation_id
    FROM observation
),

last_count AS (
    SELECT
        said.reporter,
        said.subject,
        said.metric,
        max(said.period_end) AS last_counted_day
    FROM said
    WHERE NOT said.is_silent
    GROUP BY said.reporter, said.subject, said.metric
)

SELECT
    said.reporter,
    said.subject,
    said.metric,
    min(said.time_period) AS first_silent_period,
    max(said.time_period) AS last_silent_period,
    count(*) AS periods,
    any_value(counted.last_counted_day) AS last_counted_day,
    list_sort(list(DISTINCT said.cited_url) FILTER (WHERE said.cited_url IS NOT NULL)) AS pages_searched,
    list(said.observation_id ORDER BY said.period_start) AS observation_ids
FROM said
LEFT JOIN last_count AS counted
    ON said.reporter = counted.reporter AND said.subject = counted.subject AND said.metric = counted.metric
WHERE said.is_silent
GROUP BY said.reporter, said.subject, said.metric;
COMMENT ON VIEW silence
IS 'One row an organisation and metric that it is known not to publish: since when, and where that was looked for.
Compiled by hand (source no_disclosure); a series that merely ends here is in freshness.';
COMMENT ON COLUMN silence.first_silent_period IS 'First period without a count, of those that were looked for.';
COMMENT ON COLUMN silence.last_silent_period IS 'Last period without a count, of those that were looked for.';
COMMENT ON COLUMN silence.periods IS 'How many periods were looked for.';
COMMENT ON COLUMN silence.last_counted_day IS 'Last day of the newest period that it did count; null if never here.';
COMMENT ON COLUMN silence.pages_searched IS 'Pages on which no count was found.';
COMMENT ON COLUMN silence.observation_ids IS 'The observations, without a value, behind the row.';
