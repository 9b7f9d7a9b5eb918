-- Publish nothing you cannot point at: locator, printed number, labels and extractor version are there.
-- Only an empty cell, a missing value, is printed as nothing.
SELECT
    observation_id,
    locator,
    obs_text,
    label_text,
    extractor_version
FROM observation_vintage
WHERE
    NOT regexp_matches(locator, '(^|&)(page|cell|line|pointer)=.')
    OR (trim(obs_text) = '' AND obs_status <> 'O')
    OR trim(label_text) = ''
    OR trim(extractor_version) = ''
ORDER BY observation_id;
