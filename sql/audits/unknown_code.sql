-- Every code is in its codelist. Organisations may be provisional; all other lists are closed.
SELECT
    'metric' AS codelist,
    metric AS code
FROM observation_vintage
WHERE metric NOT IN (SELECT metric.metric FROM metric)
UNION
SELECT
    'unit' AS codelist,
    unit_measure AS code
FROM observation_vintage
WHERE unit_measure NOT IN (SELECT unit.unit_measure FROM unit)
UNION
SELECT
    'harm' AS codelist,
    harm AS code
FROM observation_vintage
WHERE harm NOT IN (SELECT harm.harm FROM harm)
UNION
SELECT
    'area' AS codelist,
    ref_area AS code
FROM observation_vintage
WHERE ref_area NOT IN (SELECT area.ref_area FROM area)
UNION
SELECT
    'freq' AS codelist,
    freq AS code
FROM observation_vintage
WHERE freq NOT IN (SELECT freq.freq FROM freq)
UNION
SELECT
    'obs_status' AS codelist,
    obs_status AS code
FROM observation_vintage
WHERE obs_status NOT IN (SELECT obs_status.obs_status FROM obs_status)
UNION
SELECT
    'organisation' AS codelist,
    organisation AS code
FROM (
    SELECT reporter AS organisation
    FROM observation_vintage
    UNION
    SELECT subject AS organisation
    FROM observation_vintage
    UNION
    SELECT publisher AS organisation
    FROM source
    WHERE publisher_name IS NULL
) AS named
WHERE
    organisation NOT IN (SELECT organisation.organisation FROM organisation)
    AND organisation NOT IN (SELECT provisional_organisation.organisation FROM provisional_organisation)
ORDER BY codelist, code;
