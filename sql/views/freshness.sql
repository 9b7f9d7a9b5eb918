CREATE VIEW freshness AS
WITH held AS (
    SELECT
        source_id,
        count(*) AS documents
    FROM document
    GROUP BY source_id
),

published AS (
    SELECT
        source_id,
        count(DISTINCT time_period) AS periods,
        count(*) AS observations,
        max(published_on) AS newest_published_on,
        last(time_period ORDER BY period_end, time_period) AS newest_time_period
    FROM observation_vintage
    GROUP BY source_id
),

withheld AS (
    SELECT
        source_id,
        count(*) FILTER (WHERE scope = 'row') AS quarantined_rows,
        count(DISTINCT document_id) FILTER (WHERE scope = 'document') AS quarantined_documents
    FROM quarantine
    GROUP BY source_id
),

attempted AS (
    SELECT *
    FROM fetch_outcome
    QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY attempted_at DESC, url DESC, outcome DESC) = 1
)

SELECT
    source.source_id,
    source.title,
    source.cadence,
    coalesce(held.documents, 0) AS documents,
    coalesce(published.periods, 0) AS periods,
    coalesce(published.observations, 0) AS observations,
    coalesce(withheld.quarantined_rows, 0) AS quarantined_rows,
    coalesce(withheld.quarantined_documents, 0) AS quarantined_documents,
    published.newest_time_period,
    published.newest_published_on,
    source.next_expected,
    CASE
        WHEN source.next_expected IS NOT NULL
            THEN greatest(date_diff('day', source.next_expected, current_date), 0)
    END AS days_late,
    attempted.attempted_at AS last_attempted_at,
    attempted.outcome AS last_outcome,
    attempted.reason AS last_reason
FROM source
LEFT JOIN held ON source.source_id = held.source_id
LEFT JOIN published ON source.source_id = published.source_id
LEFT JOIN withheld ON source.source_id = withheld.source_id
LEFT JOIN attempted ON source.source_id = attempted.source_id;
COMMENT ON VIEW freshness IS 'One row a source: what is held, how new it is, and whether the next document is late.';
COMMENT ON COLUMN freshness.documents IS 'Documents held, those in quarantine included.';
COMMENT ON COLUMN freshness.periods IS 'Different periods with a published figure.';
COMMENT ON COLUMN freshness.observations IS 'Published figures, every vintage.';
COMMENT ON COLUMN freshness.quarantined_rows IS 'Figures in quarantine.';
COMMENT ON COLUMN freshness.quarantined_documents IS 'Documents in quarantine as a whole.';
COMMENT ON COLUMN freshness.newest_time_period IS 'The period that ends last among the published figures.';
COMMENT ON COLUMN freshness.newest_published_on IS 'Latest day of publication among documents with published figures.';
COMMENT ON COLUMN freshness.days_late IS 'Days since next_expected; zero before it; null where there is none.';
COMMENT ON COLUMN freshness.last_attempted_at IS 'Instant (UTC) of the last attempt to fetch or add a document.';
COMMENT ON COLUMN freshness.last_outcome IS 'Its outcome: stored, unchanged or failed.';
COMMENT ON COLUMN freshness.last_reason IS 'Why it failed, where it did.';
