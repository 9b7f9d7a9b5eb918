-- A breakdown has a name and a code; where there is no breakdown the map is empty, not filled with nothing.
SELECT
    observation_id,
    dimensions
FROM observation_vintage
WHERE
    list_contains(map_values(dimensions), '')
    OR list_contains(map_keys(dimensions), '')
    OR len(map_values(dimensions)) <> list_count(map_values(dimensions))
ORDER BY observation_id;
