CREATE VIEW coverage AS
WITH about_harm AS (
    SELECT
        observation.*,
        year(observation.period_end) AS year
    FROM observation
    INNER JOIN organisation ON observation.reporter = organisation.organisation
    WHERE
        observation.harm <> '_Z'
        AND organisation.kind IN ('brand', 'company', 'clearinghouse', 'hotline')
),

searched AS (
    SELECT
        about_harm.reporter,
        about_harm.year,
        list(DISTINCT coalesce(about_harm.cited_url, document.url, document.title, document.document_id)) AS documents,
        max(about_harm.period_end) AS newest_period_end
    FROM about_harm
    INNER JOIN document
        ON about_harm.document_id = document.document_id AND about_harm.source_id = document.source_id
    GROUP BY about_harm.reporter, about_harm.year
),

years AS (
    SELECT DISTINCT year
    FROM searched
),

span AS (
    SELECT
        reporter,
        min(year) AS first_year
    FROM searched
    GROUP BY reporter
),

counted AS (
    SELECT
        reporter,
        harm,
        year,
        count(*) FILTER (WHERE obs_value > 0 OR obs_status = 'Q') AS above_zero,
        count(*) FILTER (WHERE obs_value = 0) AS zeros,
        count(*) FILTER (WHERE obs_status = 'O') AS missing,
        list(DISTINCT metric ORDER BY metric) AS metrics
    FROM about_harm
    WHERE harm NOT IN ('_T', '_U')
    GROUP BY reporter, harm, year
),

ever AS (
    SELECT
        reporter,
        harm,
        min(year) FILTER (WHERE above_zero + zeros > 0) AS first_counted,
        max(year) FILTER (WHERE above_zero + zeros > 0) AS last_counted
    FROM counted
    GROUP BY reporter, harm
)

SELECT
    span.reporter AS organisation,
    harm.harm,
    years.year,
    CASE
        WHEN counted.above_zero > 0 THEN 'counted'
        WHEN counted.zeros > 0 THEN 'zero'
        WHEN counted.missing > 0 OR ever.first_counted IS NOT NULL OR searched.documents IS NULL THEN 'not_disclosed'
        ELSE 'not_measured'
    END AS state,
    coalesce(counted.metrics, []) AS metrics,
    ever.first_counted,
    ever.last_counted,
    coalesce(list_sort(searched.documents), []) AS documents_searched
FROM span
CROSS JOIN harm
INNER JOIN years ON span.first_year <= years.year
LEFT JOIN searched ON span.reporter = searched.reporter AND years.year = searched.year
LEFT JOIN counted ON span.reporter = counted.reporter AND harm.harm = counted.harm AND years.year = counted.year
LEFT JOIN ever ON span.reporter = ever.reporter AND harm.harm = ever.harm
WHERE harm.harm NOT IN ('_T', '_U', '_Z');
COMMENT ON VIEW coverage
IS 'One row an organisation that counts, a kind of harm and a year, in one of four states. The gaps are the finding:
what nobody counts is here as not_measured or not_disclosed, with the documents in which a count was looked for.';
COMMENT ON COLUMN coverage.organisation IS 'Who counts: a platform, its company, a clearinghouse or a hotline.';
COMMENT ON COLUMN coverage.year
IS 'Calendar year in which the period ends; from the organisation''s first to the newest of all.';
COMMENT ON COLUMN coverage.state
IS 'counted: a number above zero, or a suppressed one. zero: zero is printed. not_disclosed: counted in another year, or
printed as missing, or the organisation has no document of the year here. not_measured: it has documents of the year,
and never a number for this kind of harm.';
COMMENT ON COLUMN coverage.metrics IS 'What is counted of it, where something is.';
COMMENT ON COLUMN coverage.first_counted IS 'First year with a number for this kind of harm; null if never.';
COMMENT ON COLUMN coverage.last_counted IS 'Last year with a number for this kind of harm; null if never.';
COMMENT ON COLUMN coverage.documents_searched IS 'Addresses of the organisation''s documents of the year held here.';
