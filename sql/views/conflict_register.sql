CREATE VIEW conflict_register AS
WITH worked AS (
    SELECT
        conflict_id,
        list(sentence ORDER BY step) AS arithmetic,
        count(*) FILTER (WHERE NOT holds) AS steps_failed,
        count(*) FILTER (WHERE holds <> (expected = 'holds')) AS steps_unexpected
    FROM conflict_arithmetic
    GROUP BY conflict_id
),

beside AS (
    SELECT
        conflict_id,
        list(concat(
            said_by, coalesce(' (' || time_period || ')', ''), ': ', what, ' ',
            coalesce(term, concat(
                nullif(comparator, '='), printed, coalesce(' ' || unit_measure, ''), coalesce(' per ' || rate_per, '')
            )),
            ' [', citation, ']'
        ) ORDER BY taken_from <> 'quoted' ASC, time_period ASC, value_key ASC) AS said_beside
    FROM (
        SELECT
            *,
            coalesce(
                format('{:.10g}', value_low) || ' to ' || format('{:.10g}', value_high), format('{:.10g}', amount)
            ) AS printed
        FROM conflict_amount
    ) AS worded
    GROUP BY conflict_id
)

SELECT
    registered.conflict_id,
    registered.title,
    string_split(registered.quoted_ids, ' ') AS quoted_ids,
    registered.verdict,
    registered.verdict <> 'within_rounding' AS is_conflict,
    registered.read_comparator,
    beside.said_beside,
    worked.arithmetic,
    coalesce(worked.steps_failed, 0) AS steps_failed,
    coalesce(worked.steps_unexpected, 0) AS steps_unexpected,
    registered.handling,
    registered.citation
FROM quoted_conflict AS registered
LEFT JOIN worked ON registered.conflict_id = worked.conflict_id
LEFT JOIN beside ON registered.conflict_id = beside.conflict_id;
COMMENT ON VIEW conflict_register
IS 'One row a conflict of a quoted figure with something else: every value that stands beside it, with its citation, the
arithmetic worked out, how it was judged and how it is handled.';
COMMENT ON COLUMN conflict_register.quoted_ids IS 'The sentences it concerns; null where neither document quotes it.';
COMMENT ON COLUMN conflict_register.is_conflict IS 'False where the two agree within rounding.';
COMMENT ON COLUMN conflict_register.said_beside IS 'Every value of the conflict as words: the quoted ones first.';
COMMENT ON COLUMN conflict_register.arithmetic IS 'The lines of arithmetic as sentences; null where there is none.';
COMMENT ON COLUMN conflict_register.steps_failed IS 'How many of the lines do not come out.';
COMMENT ON COLUMN conflict_register.steps_unexpected
IS 'How many come out otherwise than the register says, for the release holds another value by now.';
