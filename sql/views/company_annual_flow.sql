CREATE VIEW company_annual_flow AS
SELECT
    annual.source_id,
    annual.reporter,
    coalesce(belongs.parent, annual.subject) AS company,
    annual.metric,
    annual.harm,
    annual.ref_area,
    annual.comparator,
    annual.unit_measure,
    annual.year,
    sum(annual.obs_value) AS obs_value,
    list(DISTINCT annual.subject ORDER BY annual.subject) AS subjects,
    bool_or(coalesce(annual.dimensions['affiliates'] = 'combined', FALSE)) AS affiliates_combined,
    flatten(list(annual.observation_ids ORDER BY annual.subject, annual.observation_ids)) AS observation_ids
FROM annual_flow AS annual
LEFT JOIN organisation_parent AS belongs
    ON
        annual.subject = belongs.organisation
        AND make_date(annual.year, 12, 31) >= coalesce(belongs.valid_from, make_date(annual.year, 12, 31))
        AND make_date(annual.year, 12, 31) <= coalesce(belongs.valid_to, make_date(annual.year, 12, 31))
WHERE
    NOT annual.is_total
    AND annual.subject NOT IN ('_T', '_U', 'esp', 'public')
    AND cardinality(annual.dimensions) <= 1
    AND (cardinality(annual.dimensions) = 0 OR annual.dimensions['affiliates'] IS NOT NULL)
GROUP BY
    annual.source_id,
    annual.reporter,
    coalesce(belongs.parent, annual.subject),
    annual.metric,
    annual.harm,
    annual.ref_area,
    annual.comparator,
    annual.unit_measure,
    annual.year;
COMMENT ON VIEW company_annual_flow
IS 'One row a company and year: its brands'' annual figures of one source, metric, harm and area, added up by who owned
the brand on the last day of the year. Printed totals and figures broken down further are left out.';
COMMENT ON COLUMN company_annual_flow.company IS 'The owner on 31 December; the organisation itself where it has none.';
COMMENT ON COLUMN company_annual_flow.year IS 'Calendar year.';
COMMENT ON COLUMN company_annual_flow.obs_value IS 'Sum over the brands, in unit_measure.';
COMMENT ON COLUMN company_annual_flow.subjects IS 'The brands that were added.';
COMMENT ON COLUMN company_annual_flow.affiliates_combined
IS 'True where the publisher itself printed a group: it may take in brands that later years list apart.';
COMMENT ON COLUMN company_annual_flow.observation_ids IS 'The observations behind the sum.';
