CREATE VIEW quoted AS
WITH flagged AS (
    SELECT
        unnest(string_split(quoted_ids, ' ')) AS quoted_id,
        conflict_id,
        verdict,
        read_comparator
    FROM quoted_conflict
),

gathered AS (
    SELECT
        quoted_id,
        list(conflict_id ORDER BY conflict_id) AS conflict_ids,
        list(verdict ORDER BY conflict_id) AS verdicts,
        min(read_comparator) AS read_comparator
    FROM flagged
    GROUP BY quoted_id
)

SELECT
    figure.quoted_id,
    figure.part,
    figure.what,
    figure.quoted_value,
    figure.value_low,
    figure.value_high,
    figure.comparator,
    coalesce(gathered.read_comparator, figure.comparator) AS read_comparator,
    figure.unit_measure,
    figure.rate_per,
    figure.time_period,
    figure.ref_area,
    string_split(figure.named_areas, ' ') AS named_areas,
    figure.quoted_term,
    figure.metric,
    figure.harm,
    coalesce(gathered.conflict_ids, []) AS conflict_ids,
    coalesce(array_to_string(gathered.verdicts, ', '), 'unconflicted') AS conflict_status,
    figure.redundant_with,
    figure.note,
    figure.quoted_document,
    concat('chars=', figure.char_start, '-', figure.char_end) AS locator,
    figure.text_sha256,
    quoted_text.document_id,
    quoted_text.title,
    quoted_text.publisher,
    quoted_text.published,
    quoted_text.url,
    concat(
        quoted_text.publisher, ', ', quoted_text.title, coalesce(' (' || quoted_text.published || ')', ''),
        ', characters ', figure.char_start, ' to ', figure.char_end, '. ', coalesce(quoted_text.url || '. ', ''),
        'SHA-256 of the text there ', figure.text_sha256, ', of the whole ', quoted_text.document_id, '.'
    ) AS citation
FROM quoted_figure AS figure
INNER JOIN quoted_document AS quoted_text ON figure.quoted_document = quoted_text.quoted_document
LEFT JOIN gathered ON figure.quoted_id = gathered.quoted_id;
COMMENT ON VIEW quoted
IS 'One row a value that a quoted document says: what it counts, how it is said, where it stands, and which conflicts
concern it. Quoted, not observed: never added to observation.';
COMMENT ON COLUMN quoted.read_comparator IS 'How the number is to be read, after the conflict register.';
COMMENT ON COLUMN quoted.named_areas IS 'Areas the sentence names; null where it names none beside ref_area.';
COMMENT ON COLUMN quoted.conflict_ids IS 'Conflicts that concern it: see conflict_register; empty where there is none.';
COMMENT ON COLUMN quoted.conflict_status IS 'unconflicted, else how its conflicts were judged.';
COMMENT ON COLUMN quoted.locator IS 'Range of characters of the sentence: from 0, the end not included.';
COMMENT ON COLUMN quoted.document_id IS 'SHA-256 of the whole text.';
COMMENT ON COLUMN quoted.citation IS 'A ready sentence: publisher, title, characters, SHA-256.';
