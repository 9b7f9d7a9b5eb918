-- One row a source: what is held and how new it is. Without days_late of the view, which changes from day to day.
-- document_ids: SHA-256 of every document held for the source, those in quarantine included.
WITH held AS (
    SELECT
        source_id,
        list(document_id ORDER BY document_id) AS document_ids
    FROM document
    GROUP BY source_id
)

SELECT
    freshness.* EXCLUDE (days_late), -- noqa: RF02
    held.document_ids
FROM freshness
LEFT JOIN held ON freshness.source_id = held.source_id;
