CREATE VIEW statements_automation_share AS
SELECT
    monthly.subject,
    monthly.time_period,
    monthly.freq,
    monthly.about_minors,
    monthly.automated,
    monthly.detected,
    100 * monthly.automated / nullif(monthly.about_minors, 0) AS automated_percent_of_about_minors,
    100 * monthly.detected / nullif(monthly.about_minors, 0) AS detected_percent_of_about_minors,
    (
        SELECT string_agg(series_break.description ORDER BY series_break.break_id)
        FROM series_break
        WHERE
            series_break.source_id = 'dsa_statements'
            AND series_break.metric = 'dsa_statements_about_minors_detected'
            AND series_break.subject = monthly.subject
            AND monthly.period_start < first_day(series_break.time_period)
    ) AS known_fault,
    monthly.is_lower_bound,
    monthly.observation_ids
FROM minors_statements AS monthly
WHERE monthly.about_minors IS NOT NULL;
COMMENT ON VIEW statements_automation_share
IS 'One row a platform and month of own reductions of the DSA Transparency Database: how many of its statements about
minors automated means detected or decided. Empty where only the edition is held, which does not tell.';
COMMENT ON COLUMN statements_automation_share.about_minors IS 'Statements with any mark of minors: the base.';
COMMENT ON COLUMN statements_automation_share.automated IS 'Of them, those whose decision was fully automated.';
COMMENT ON COLUMN statements_automation_share.detected IS 'Of them, those detected by automated means.';
COMMENT ON COLUMN statements_automation_share.automated_percent_of_about_minors
IS 'Share of the fully automated decisions, in percent of about_minors.';
COMMENT ON COLUMN statements_automation_share.detected_percent_of_about_minors
IS 'Share of the automated detections, in percent of about_minors.';
COMMENT ON COLUMN statements_automation_share.known_fault
IS 'What the publisher says is wrong with the flag of detection in this period; null where nothing is known.';
COMMENT ON COLUMN statements_automation_share.is_lower_bound IS 'True where lines of a dump could not be counted.';
COMMENT ON COLUMN statements_automation_share.observation_ids IS 'The observations behind the row.';
