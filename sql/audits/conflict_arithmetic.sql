-- The conflict register's own numbers come out as it says. Where a value is the warehouse's, a restatement may change
-- that and never blocks a release: conflict_register counts it as steps_unexpected.
SELECT
    step.conflict_id,
    step.step,
    worked.result,
    step.relation,
    worked.against_amount,
    step.expected
FROM quoted_conflict_step AS step
LEFT JOIN conflict_arithmetic AS worked ON step.conflict_id = worked.conflict_id AND step.step = worked.step
WHERE
    worked.observation_ids IS NULL
    AND (worked.holds IS NULL OR worked.holds <> (step.expected = 'holds'))
ORDER BY step.conflict_id, step.step;
