-- Nothing of a document that is in quarantine as a whole may be published.
SELECT DISTINCT
    observation_vintage.observation_id,
    quarantine.document_id,
    quarantine.reason
FROM observation_vintage
INNER JOIN quarantine
    ON
        observation_vintage.document_id = quarantine.document_id
        AND observation_vintage.source_id = quarantine.source_id
WHERE quarantine.scope = 'document'
ORDER BY observation_vintage.observation_id;
