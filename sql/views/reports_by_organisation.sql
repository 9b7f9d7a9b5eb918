CREATE VIEW reports_by_organisation AS
SELECT
    year(reported.period_end) AS year,
    reported.subject AS organisation,
    coalesce(organisation.name, provisional.printed_name) AS name,
    belongs.parent,
    parent.name AS parent_name,
    reported.obs_value AS reports,
    reported.obs_status,
    coalesce(reported.dimensions['affiliates'] = 'combined', FALSE) AS affiliates_combined,
    reported.dimensions['subject_variant'] AS subject_variant,
    organisation.organisation IS NULL AS is_provisional,
    reported.label_text,
    reported.observation_id
FROM observation AS reported
LEFT JOIN organisation ON reported.subject = organisation.organisation
LEFT JOIN provisional_organisation AS provisional
    ON
        reported.subject = provisional.organisation
        AND reported.source_id = provisional.source_id
        AND reported.document_id = provisional.document_id
LEFT JOIN organisation_parent AS belongs
    ON
        reported.subject = belongs.organisation
        AND reported.period_end >= coalesce(belongs.valid_from, reported.period_end)
        AND reported.period_end <= coalesce(belongs.valid_to, reported.period_end)
LEFT JOIN organisation AS parent ON belongs.parent = parent.organisation
WHERE
    reported.source_id = 'ncmec_by_esp'
    AND reported.metric = 'cybertip_reports'
    AND NOT reported.is_total;
COMMENT ON VIEW reports_by_organisation
IS 'CyberTipline reports by the provider that sent them and year (ncmec_by_esp); printed totals are left out.';
COMMENT ON COLUMN reports_by_organisation.year IS 'Calendar year reported on.';
COMMENT ON COLUMN reports_by_organisation.organisation
IS 'Who sent the reports: code in organisation or provisional_organisation.';
COMMENT ON COLUMN reports_by_organisation.name IS 'Its name; the printed name where it is provisional.';
COMMENT ON COLUMN reports_by_organisation.parent
IS 'The organisation it belonged to on the last day of the year; null where none is known.';
COMMENT ON COLUMN reports_by_organisation.parent_name IS 'Name of that organisation.';
COMMENT ON COLUMN reports_by_organisation.reports
IS 'Reports: not children, offenders or incidents. Null where no number is printed.';
COMMENT ON COLUMN reports_by_organisation.affiliates_combined
IS 'True where the publisher marks the count as taking in affiliated companies: not comparable with brand rows.';
COMMENT ON COLUMN reports_by_organisation.subject_variant
IS 'Tells apart several rows of one organisation in one year; null where there is one.';
COMMENT ON COLUMN reports_by_organisation.is_provisional IS 'True where no codelist knows the name yet.';
