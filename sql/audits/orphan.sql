-- Every row that names a document or a source finds it.
SELECT
    'observation_vintage' AS table_name,
    observation_vintage.source_id,
    observation_vintage.document_id
FROM observation_vintage
LEFT JOIN document
    ON observation_vintage.document_id = document.document_id AND observation_vintage.source_id = document.source_id
WHERE document.document_id IS NULL
UNION
SELECT
    'quarantine' AS table_name,
    quarantine.source_id,
    quarantine.document_id
FROM quarantine
LEFT JOIN document
    ON quarantine.document_id = document.document_id AND quarantine.source_id = document.source_id
WHERE document.document_id IS NULL
UNION
SELECT
    'provisional_organisation' AS table_name,
    provisional_organisation.source_id,
    provisional_organisation.document_id
FROM provisional_organisation
LEFT JOIN document
    ON
        provisional_organisation.document_id = document.document_id
        AND provisional_organisation.source_id = document.source_id
WHERE document.document_id IS NULL
UNION
SELECT
    'document' AS table_name,
    document.source_id,
    document.document_id
FROM document
LEFT JOIN source ON document.source_id = source.source_id
WHERE source.source_id IS NULL
ORDER BY table_name, source_id, document_id;
