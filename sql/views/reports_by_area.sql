CREATE VIEW reports_by_area AS
SELECT
    year(reported.period_end) AS year,
    reported.ref_area,
    area.name AS area_name,
    area.kind AS area_kind,
    reported.dimensions['area_variant'] AS area_variant,
    max(reported.obs_value) FILTER (WHERE reported.metric = 'cybertip_reports') AS reports,
    max(reported.obs_value) FILTER (WHERE reported.metric = 'cybertip_referrals') AS referrals,
    max(reported.obs_value) FILTER (WHERE reported.metric = 'cybertip_reports_informational') AS informational,
    list(reported.observation_id ORDER BY reported.metric, reported.observation_id) AS observation_ids
FROM observation AS reported
LEFT JOIN area ON reported.ref_area = area.ref_area
WHERE
    reported.source_id = 'ncmec_by_country'
    AND reported.metric IN ('cybertip_reports', 'cybertip_referrals', 'cybertip_reports_informational')
    AND NOT reported.is_total
GROUP BY
    year(reported.period_end),
    reported.ref_area,
    area.name,
    area.kind,
    reported.dimensions;
COMMENT ON VIEW reports_by_area
IS 'CyberTipline reports by country of upload and year (ncmec_by_country), printed totals left out. The country is the
upload location, distorted by proxies and anonymizers: it does not show how much abuse there is in a country.';
COMMENT ON COLUMN reports_by_area.year IS 'Calendar year reported on.';
COMMENT ON COLUMN reports_by_area.area_name IS 'Name of the area, after ISO 3166-1.';
COMMENT ON COLUMN reports_by_area.area_kind
IS 'country, former, region (never added to a country) or special (_U: no country known).';
COMMENT ON COLUMN reports_by_area.area_variant
IS 'Tells apart several rows of one area in one year; null where there is one.';
COMMENT ON COLUMN reports_by_area.reports IS 'Reports; null where none is printed or only the split is (2024 on).';
COMMENT ON COLUMN reports_by_area.referrals IS 'Reports referred to law enforcement; printed from 2024.';
COMMENT ON COLUMN reports_by_area.informational IS 'Informational reports; printed from 2024.';
COMMENT ON COLUMN reports_by_area.observation_ids IS 'The observations behind the row.';
