CREATE VIEW vintage_change AS
WITH reported AS (
    SELECT
        source_id,
        document_id,
        last(time_period ORDER BY period_end, time_period) AS newest_period,
        any_value(known_on) AS known_on,
        any_value(retrieved_at) AS retrieved_at,
        count(*) AS figures
    FROM vintage
    GROUP BY source_id, document_id
),

followed AS (
    SELECT
        *,
        lag(document_id) OVER vintages AS earlier_document_id,
        lag(figures) OVER vintages AS earlier_figures
    FROM reported
    WINDOW vintages AS (PARTITION BY source_id ORDER BY known_on, retrieved_at, document_id)
),

reprinted AS (
    SELECT
        followed.source_id,
        followed.document_id,
        count(*) AS figures_in_both,
        count(*) FILTER (
            WHERE coalesce(later.obs_value, -1) <> coalesce(earlier.obs_value, -1)
            OR coalesce(later.value_low, -1) <> coalesce(earlier.value_low, -1)
            OR coalesce(later.value_high, -1) <> coalesce(earlier.value_high, -1)
        ) AS changed,
        count(*) FILTER (WHERE later.label_text <> earlier.label_text) AS relabelled
    FROM followed
    INNER JOIN vintage AS later
        ON followed.source_id = later.source_id AND followed.document_id = later.document_id
    INNER JOIN vintage AS earlier
        ON
            followed.source_id = earlier.source_id
            AND followed.earlier_document_id = earlier.document_id
            AND later.series_id = earlier.series_id
            AND later.time_period = earlier.time_period
    GROUP BY followed.source_id, followed.document_id
)

SELECT
    followed.source_id,
    followed.newest_period,
    followed.known_on,
    followed.document_id,
    followed.earlier_document_id,
    followed.figures,
    coalesce(reprinted.figures_in_both, 0) AS figures_in_both,
    coalesce(reprinted.changed, 0) AS changed,
    coalesce(reprinted.relabelled, 0) AS relabelled,
    followed.figures - coalesce(reprinted.figures_in_both, 0) AS added,
    followed.earlier_figures - coalesce(reprinted.figures_in_both, 0) AS dropped
FROM followed
LEFT JOIN reprinted ON followed.source_id = reprinted.source_id AND followed.document_id = reprinted.document_id
WHERE followed.earlier_document_id IS NOT NULL;
COMMENT ON VIEW vintage_change
IS 'One row a document after its source''s first: how many figures it prints otherwise than the document before it.';
COMMENT ON COLUMN vintage_change.newest_period IS 'The newest period that the document reports on.';
COMMENT ON COLUMN vintage_change.known_on IS 'Day the document was published, else retrieved.';
COMMENT ON COLUMN vintage_change.earlier_document_id IS 'The document before it, by the same order as the vintages.';
COMMENT ON COLUMN vintage_change.figures IS 'Series and periods that the document prints.';
COMMENT ON COLUMN vintage_change.figures_in_both IS 'Those of them that the document before it prints too.';
COMMENT ON COLUMN vintage_change.changed
IS 'Those of both with another value or other bounds; another label alone does not count.';
COMMENT ON COLUMN vintage_change.relabelled IS 'Those of both that are printed under other labels: see label_rename.';
COMMENT ON COLUMN vintage_change.added IS 'Series and periods that the document before it does not print.';
COMMENT ON COLUMN vintage_change.dropped IS 'Series and periods that only the document before it prints.';
