-- A figure's days of publication and retrieval are its document's, and neither lies after the build.
SELECT
    observation_vintage.observation_id,
    observation_vintage.published_on,
    document.published_on AS document_published_on,
    observation_vintage.retrieved_at,
    document.retrieved_at AS document_retrieved_at
FROM observation_vintage
INNER JOIN document
    ON
        observation_vintage.document_id = document.document_id
        AND observation_vintage.source_id = document.source_id
CROSS JOIN release_info
WHERE
    coalesce(observation_vintage.published_on, DATE '0001-01-01') <> coalesce(document.published_on, DATE '0001-01-01')
    OR observation_vintage.retrieved_at <> document.retrieved_at
    OR document.published_on > cast(release_info.built_at AS DATE) + 1
    OR document.retrieved_at > release_info.built_at + INTERVAL 1 DAY
ORDER BY observation_vintage.observation_id;
