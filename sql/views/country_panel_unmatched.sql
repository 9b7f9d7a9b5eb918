CREATE VIEW country_panel_unmatched AS
SELECT
    reported.ref_area,
    area.name AS area_name,
    area.kind AS area_kind,
    list(DISTINCT reported.label_text ORDER BY reported.label_text) AS printed_as,
    min(year(reported.period_start)) AS first_year,
    max(year(reported.period_start)) AS last_year,
    CASE
        WHEN area.kind NOT IN ('country', 'former') THEN 'no country: left out of country_panel'
        ELSE 'no population: no rate per head'
    END AS reason
FROM observation AS reported
INNER JOIN area ON reported.ref_area = area.ref_area
LEFT JOIN observation AS people
    ON
        reported.ref_area = people.ref_area
        AND reported.time_period = people.time_period
        AND people.metric = 'population'
WHERE
    reported.source_id IN ('ncmec_by_country', 'ncmec_transcribed')
    AND reported.metric IN ('cybertip_reports', 'cybertip_referrals')
    AND reported.ref_area <> '_T'
    AND reported.harm = '_T'
    AND NOT reported.is_total
    AND people.observation_id IS NULL
GROUP BY reported.ref_area, area.name, area.kind;
COMMENT ON VIEW country_panel_unmatched
IS 'One row an area with CyberTipline reports and no population to set them against: nothing is filled in.';
COMMENT ON COLUMN country_panel_unmatched.area_name IS 'Name of the area.';
COMMENT ON COLUMN country_panel_unmatched.area_kind IS 'country, former, region or special.';
COMMENT ON COLUMN country_panel_unmatched.printed_as IS 'The names as printed.';
COMMENT ON COLUMN country_panel_unmatched.first_year IS 'First calendar year without a population.';
COMMENT ON COLUMN country_panel_unmatched.last_year IS 'Last calendar year without a population.';
COMMENT ON COLUMN country_panel_unmatched.reason IS 'What that means for country_panel.';
