-- A quoted figure stands in a known text, two sentences of a text do not overlap, and every conflict finds its figures.
SELECT
    'unknown document' AS fault,
    quoted_id
FROM quoted_figure
WHERE quoted_document NOT IN (SELECT quoted_document.quoted_document FROM quoted_document)
UNION
SELECT
    'ranges overlap' AS fault,
    one.quoted_id
FROM quoted_figure AS one
INNER JOIN quoted_figure AS other
    ON
        one.quoted_document = other.quoted_document
        AND one.quoted_id < other.quoted_id
        AND one.char_start < other.char_end
        AND one.char_end > other.char_start
UNION
SELECT
    'unknown area, unit, metric or harm' AS fault,
    quoted_id
FROM quoted_figure
WHERE
    ref_area NOT IN (SELECT area.ref_area FROM area)
    OR unit_measure NOT IN (SELECT unit.unit_measure FROM unit)
    OR metric NOT IN (SELECT metric.metric FROM metric)
    OR harm NOT IN (SELECT harm.harm FROM harm)
UNION
SELECT
    'period' AS fault,
    quoted_id
FROM quoted_figure
WHERE
    NOT regexp_full_match(time_period, '[0-9]{4}(-(S[12]|Q[1-4]|0[1-9]|1[0-2]))?')
    AND NOT regexp_full_match(time_period, '[0-9]{4}-[0-9]{2}-[0-9]{2}/P[1-9][0-9]*[YMD]')
UNION
SELECT
    'number without unit, or unit without number' AS fault,
    quoted_id
FROM quoted_figure
WHERE
    (coalesce(quoted_value, value_low) IS NULL) <> (unit_measure IS NULL)
    OR (coalesce(quoted_value, value_low) IS NULL) <> (comparator IS NULL)
UNION
SELECT
    'conflict without its figure' AS fault,
    quoted_id
FROM (SELECT unnest(string_split(quoted_ids, ' ')) AS quoted_id FROM quoted_conflict) AS concerned
WHERE quoted_id NOT IN (SELECT quoted_figure.quoted_id FROM quoted_figure)
ORDER BY fault, quoted_id;
