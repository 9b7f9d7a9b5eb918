CREATE VIEW conflict_arithmetic AS
WITH computed AS (
    SELECT
        step.conflict_id,
        step.step,
        step.what,
        step.operator,
        step.relation,
        step.tolerance,
        step.expected,
        one.amount AS left_amount,
        other.amount AS right_amount,
        held.amount AS against_amount,
        held.comparator AS against_comparator,
        CASE coalesce(step.operator, '')
            WHEN '' THEN one.amount
            WHEN '*' THEN one.amount * other.amount
            WHEN '/' THEN one.amount / nullif(other.amount, 0)
            WHEN '+' THEN one.amount + other.amount
            WHEN '-' THEN one.amount - other.amount
        END AS result,
        array_to_string([one.observation_id, other.observation_id, held.observation_id], ' ') AS observation_ids
    FROM quoted_conflict_step AS step
    INNER JOIN conflict_amount AS one ON step.conflict_id = one.conflict_id AND step.left_key = one.value_key
    LEFT JOIN conflict_amount AS other ON step.conflict_id = other.conflict_id AND step.right_key = other.value_key
    INNER JOIN conflict_amount AS held ON step.conflict_id = held.conflict_id AND step.against_key = held.value_key
),

judged AS (
    SELECT
        *,
        result / nullif(against_amount, 0) AS ratio,
        CASE
            WHEN relation IN ('=', '~') THEN abs(result - against_amount) <= tolerance
            WHEN relation = '>' THEN result > against_amount
            WHEN relation = '>=' THEN result >= against_amount
            WHEN relation = '<' THEN result < against_amount
            WHEN relation = '<=' THEN result <= against_amount
        END AS holds
    FROM computed
)

SELECT
    conflict_id,
    step,
    what,
    left_amount,
    operator,
    right_amount,
    result,
    relation,
    against_amount,
    against_comparator,
    tolerance,
    ratio,
    holds,
    expected,
    string_split(nullif(observation_ids, ''), ' ') AS observation_ids,
    concat(
        what, ': ', format('{:.10g}', left_amount),
        ' ' || operator || ' ' || format('{:.10g}', right_amount) || ' = ' || format('{:.10g}', round(result, 2)),
        ' against ', nullif(against_comparator, '='), format('{:.10g}', against_amount),
        CASE
            WHEN holds THEN ', which agrees'
            WHEN ratio BETWEEN 0.95 AND 1.05 THEN ', which fails by ' || format('{:.10g}', result - against_amount)
            ELSE ', which fails: ' || format('{:.3g}', ratio) || ' times'
        END
    ) AS sentence
FROM judged;
COMMENT ON VIEW conflict_arithmetic
IS 'One row a line of arithmetic of a conflict, computed from conflict_amount: left operator right, against a value.';
COMMENT ON COLUMN conflict_arithmetic.left_amount IS 'The value on the left.';
COMMENT ON COLUMN conflict_arithmetic.right_amount IS 'The value on the right; null where the left stands alone.';
COMMENT ON COLUMN conflict_arithmetic.result IS 'What comes out.';
COMMENT ON COLUMN conflict_arithmetic.against_amount IS 'The value that it is held against.';
COMMENT ON COLUMN conflict_arithmetic.against_comparator IS 'How that value is meant.';
COMMENT ON COLUMN conflict_arithmetic.ratio IS 'Result by the value it is held against.';
COMMENT ON COLUMN conflict_arithmetic.holds IS 'Whether the result stands to that value as relation asks.';
COMMENT ON COLUMN conflict_arithmetic.observation_ids IS 'Observations that took part; null where none did.';
COMMENT ON COLUMN conflict_arithmetic.sentence IS 'The line as a sentence.';
