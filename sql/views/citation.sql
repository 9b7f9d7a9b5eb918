CREATE VIEW citation AS
WITH placed AS (
    SELECT
        *,
        replace(locator, '+', ' ') AS spaced,
        try_cast(regexp_extract(locator, '(?:^|&)page=([0-9]+)', 1) AS INTEGER) AS page,
        concat_ws(
            ', ',
            'page ' || nullif(regexp_extract(locator, '(?:^|&)page=([0-9]+)', 1), ''),
            'sheet ' || url_decode(nullif(regexp_extract(spaced, '(?:^|&)sheet=([^&]+)', 1), '')),
            'cell ' || nullif(regexp_extract(locator, '(?:^|&)cell=([^&]+)', 1), ''),
            'line ' || nullif(regexp_extract(locator, '(?:^|&)line=([0-9]+)', 1), ''),
            'column ' || url_decode(nullif(regexp_extract(spaced, '(?:^|&)column=([^&]+)', 1), '')),
            'pointer ' || url_decode(nullif(regexp_extract(spaced, '(?:^|&)pointer=([^&]+)', 1), ''))
        ) AS place
    FROM observation_vintage
)

SELECT
    placed.observation_id,
    placed.source_id,
    coalesce(publisher.name, source.publisher_name) AS publisher_name,
    coalesce(document.title, source.title) AS title,
    coalesce(placed.cited_url, document.url) AS url,
    placed.page,
    placed.place,
    placed.obs_text,
    placed.label_text,
    placed.time_period,
    placed.obs_value,
    placed.unit_measure,
    placed.published_on,
    placed.retrieved_at,
    placed.document_id,
    latest.observation_id IS NOT NULL AS is_latest,
    concat(
        coalesce(publisher.name, source.publisher_name, source.publisher), ', ',
        coalesce(document.title, source.title),
        coalesce(' (' || strftime(placed.published_on, '%Y-%m-%d') || ')', ''), ', ',
        placed.place, ': "', placed.obs_text, '". ',
        coalesce(placed.cited_url || ', transcribed ', document.url || ', retrieved ', 'Retrieved '),
        strftime(placed.retrieved_at, '%Y-%m-%d'),
        '. SHA-256 ', placed.document_id, '.'
    ) AS citation
FROM placed
INNER JOIN document ON placed.document_id = document.document_id AND placed.source_id = document.source_id
INNER JOIN source ON placed.source_id = source.source_id
LEFT JOIN organisation AS publisher ON source.publisher = publisher.organisation
LEFT JOIN observation AS latest ON placed.observation_id = latest.observation_id;
COMMENT ON VIEW citation IS 'One row an observation, every vintage: what to cite it by.';
COMMENT ON COLUMN citation.publisher_name IS 'Name of the publisher.';
COMMENT ON COLUMN citation.title IS 'Title of the document, else of the series.';
COMMENT ON COLUMN citation.url
IS 'Where the document was retrieved, or the page a transcribed figure was printed on;
null where it was added by hand without saying.';
COMMENT ON COLUMN citation.page IS 'Page of the document, counted from 1; null where it has none.';
COMMENT ON COLUMN citation.place IS 'Where in the document the number stands, in words.';
COMMENT ON COLUMN citation.is_latest IS 'True for the latest vintage, the one in observation.';
COMMENT ON COLUMN citation.citation IS 'A ready sentence: publisher, title, day, place, printed number, URL, SHA-256.';
