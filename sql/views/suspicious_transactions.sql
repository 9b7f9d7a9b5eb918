CREATE VIEW suspicious_transactions AS
SELECT
    counted.source_id,
    counted.reporter,
    counted.ref_area,
    counted.dimensions['universe'] AS universe,
    counted.time_period,
    counted.obs_value AS reports,
    worth.obs_value AS amount,
    worth.unit_measure AS currency,
    worth.obs_value / nullif(counted.obs_value, 0) AS amount_per_report,
    worth.comparator AS amount_comparator,
    CASE
        WHEN worth.observation_id IS NULL THEN [counted.observation_id]
        ELSE [counted.observation_id, worth.observation_id]
    END AS observation_ids
FROM observation AS counted
LEFT JOIN observation AS worth
    ON
        counted.source_id = worth.source_id
        AND counted.ref_area = worth.ref_area
        AND counted.dimensions = worth.dimensions
        AND counted.harm = worth.harm
        AND counted.time_period = worth.time_period
        AND worth.metric = 'suspicious_transaction_value'
WHERE counted.metric = 'suspicious_transaction_reports' AND counted.obs_value IS NOT NULL;
COMMENT ON VIEW suspicious_transactions
IS 'One row a universe and period: suspicious transaction reports linked to child exploitation, and their worth.
Each study draws its own universe: rows of different universes are not a series.';
COMMENT ON COLUMN suspicious_transactions.universe IS 'Which study or statement counts them.';
COMMENT ON COLUMN suspicious_transactions.reports IS 'Suspicious transaction reports.';
COMMENT ON COLUMN suspicious_transactions.amount IS 'Their worth, in the currency beside it; null where not published.';
COMMENT ON COLUMN suspicious_transactions.currency IS 'php: Philippine pesos.';
COMMENT ON COLUMN suspicious_transactions.amount_per_report IS 'Worth of one report on average.';
COMMENT ON COLUMN suspicious_transactions.amount_comparator IS 'How the amount is meant: ~ rounded, > more than.';
COMMENT ON COLUMN suspicious_transactions.observation_ids IS 'The observations behind the row.';
