-- A figure is published or in quarantine, never both.
SELECT DISTINCT
    observation_vintage.observation_id,
    quarantine.reason
FROM observation_vintage
INNER JOIN quarantine ON observation_vintage.observation_id = quarantine.observation_id
ORDER BY observation_vintage.observation_id;
