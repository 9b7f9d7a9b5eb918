-- A document that gave neither an observation nor an entry in quarantine has been dropped silently.
SELECT
    document.source_id,
    document.document_id,
    document.url
FROM document
LEFT JOIN observation_vintage
    ON
        document.document_id = observation_vintage.document_id
        AND document.source_id = observation_vintage.source_id
LEFT JOIN quarantine
    ON document.document_id = quarantine.document_id AND document.source_id = quarantine.source_id
WHERE observation_vintage.observation_id IS NULL AND quarantine.reason IS NULL
ORDER BY document.source_id, document.document_id;
