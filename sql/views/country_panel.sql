CREATE VIEW country_panel AS
WITH reported AS (
    SELECT
        ref_area,
        year(period_start) AS year,
        source_id,
        max(obs_value) FILTER (WHERE metric = 'cybertip_reports') AS reports,
        max(obs_value) FILTER (WHERE metric = 'cybertip_referrals') AS referrals,
        max(obs_value) FILTER (WHERE metric = 'cybertip_reports_informational') AS informational,
        list(observation_id ORDER BY observation_id) AS observation_ids
    FROM observation
    WHERE
        source_id IN ('ncmec_by_country', 'ncmec_transcribed')
        AND metric IN ('cybertip_reports', 'cybertip_referrals', 'cybertip_reports_informational')
        AND ref_area <> '_T'
        AND harm = '_T'
        AND freq = 'A'
        AND NOT is_total
        AND cardinality(dimensions) = 0
    GROUP BY ref_area, year(period_start), source_id
    QUALIFY row_number() OVER (PARTITION BY ref_area, year(period_start) ORDER BY source_id) = 1
),

people AS (
    SELECT
        ref_area,
        year(period_start) AS year,
        max(obs_value) FILTER (WHERE metric = 'population') AS population,
        max(obs_value) FILTER (WHERE metric = 'internet_users_share') AS internet_users_percent,
        max(obs_value) FILTER (WHERE metric = 'internet_users') AS internet_users_printed,
        list(observation_id ORDER BY metric, observation_id) AS observation_ids
    FROM observation
    WHERE
        source_id IN ('worldbank_population', 'worldbank_internet_users')
        AND metric IN ('population', 'internet_users_share', 'internet_users')
        AND freq = 'A'
    GROUP BY ref_area, year(period_start)
),

users AS (
    SELECT
        ref_area,
        year,
        coalesce(internet_users_percent * population / 100, internet_users_printed) AS internet_users,
        observation_ids
    FROM people
    WHERE coalesce(internet_users_percent * population / 100, internet_users_printed) IS NOT NULL
),

victims AS (
    SELECT
        ref_area,
        year(period_start) AS year,
        source_id,
        obs_value AS detected_victims,
        obs_status AS detected_victims_status,
        [observation_id] AS observation_ids
    FROM observation
    WHERE
        metric = 'trafficking_victims_detected'
        AND harm = 'trafficking_in_persons'
        AND freq = 'A'
        AND coalesce(dimensions['sex'], '_T') = '_T'
        AND coalesce(dimensions['age'], '_T') = '_T'
        AND coalesce(dimensions['citizenship'], '_T') = '_T'
    QUALIFY row_number() OVER (
        PARTITION BY ref_area, year(period_start)
        ORDER BY
            CASE source_id WHEN 'unodc_glotip' THEN 1 WHEN 'un_sdg_16_2_2' THEN 2 ELSE 3 END,
            source_id,
            observation_id
    ) = 1
),

tier AS (
    SELECT
        ref_area,
        year(period_start) AS year,
        CASE
            WHEN obs_value = 2.5 THEN '2WL'
            WHEN obs_value IS NOT NULL THEN cast(cast(obs_value AS INTEGER) AS VARCHAR)
            ELSE 'special case'
        END AS tip_tier,
        [observation_id] AS observation_ids
    FROM observation
    WHERE metric = 'tip_tier' AND (obs_value IS NOT NULL OR obs_text ILIKE '%special%')
    QUALIFY row_number() OVER (
        PARTITION BY ref_area, year(period_start)
        ORDER BY method = 'transcribed', source_id, observation_id
    ) = 1
),

suspicious AS (
    SELECT
        ref_area,
        year(period_start) AS year,
        list(
            struct_pack(universe := dimensions['universe'], reports := obs_value)
            ORDER BY dimensions['universe'], observation_id
        ) AS suspicious_transaction_reports,
        list(observation_id ORDER BY observation_id) AS observation_ids
    FROM observation
    WHERE metric = 'suspicious_transaction_reports' AND freq = 'A' AND obs_value IS NOT NULL
    GROUP BY ref_area, year(period_start)
),

listed AS (
    SELECT
        ref_area,
        year
    FROM reported
    UNION
    SELECT
        ref_area,
        year
    FROM tier
    UNION
    SELECT
        ref_area,
        year
    FROM victims
    UNION
    SELECT
        ref_area,
        year
    FROM suspicious
),

sent AS (
    SELECT
        listed.ref_area,
        listed.year,
        list(
            struct_pack(
                metric := remitted.metric,
                to_area := remitted.ref_area,
                universe := remitted.dimensions['universe'],
                time_period := remitted.time_period,
                obs_value := remitted.obs_value,
                unit_measure := remitted.unit_measure
            )
            ORDER BY remitted.period_start, remitted.metric, remitted.observation_id
        ) AS suspicious_remittances_from_here,
        list(remitted.observation_id ORDER BY remitted.observation_id) AS observation_ids
    FROM listed
    INNER JOIN observation AS remitted
        ON
            listed.ref_area = remitted.dimensions['origin']
            AND listed.year BETWEEN year(remitted.period_start) AND year(remitted.period_end)
            AND starts_with(remitted.metric, 'suspicious_remittance')
    GROUP BY listed.ref_area, listed.year
),

roles AS (
    SELECT
        ref_area,
        string_agg(DISTINCT role, ' and ' ORDER BY role) AS side,
        string_agg(DISTINCT said_by || ': ' || citation, '; ' ORDER BY said_by || ': ' || citation) AS role_citation
    FROM country_role
    GROUP BY ref_area
),

joined AS (
    SELECT
        listed.ref_area,
        area.name AS area_name,
        listed.year,
        reported.reports,
        reported.referrals,
        reported.informational,
        coalesce(reported.reports, reported.referrals + reported.informational) AS all_reports,
        people.population,
        people.internet_users_percent,
        users.internet_users,
        users.year AS internet_users_year,
        victims.detected_victims,
        victims.detected_victims_status,
        victims.source_id AS detected_victims_source_id,
        tier.tip_tier,
        suspicious.suspicious_transaction_reports,
        sent.suspicious_remittances_from_here,
        roles.side,
        roles.role_citation,
        list_concat(
            coalesce(reported.observation_ids, []),
            coalesce(people.observation_ids, []),
            CASE WHEN users.year < listed.year THEN users.observation_ids ELSE [] END,
            coalesce(victims.observation_ids, []),
            coalesce(tier.observation_ids, []),
            coalesce(suspicious.observation_ids, []),
            coalesce(sent.observation_ids, [])
        ) AS observation_ids
    FROM listed
    INNER JOIN area ON listed.ref_area = area.ref_area
    LEFT JOIN reported ON listed.ref_area = reported.ref_area AND listed.year = reported.year
    LEFT JOIN people ON listed.ref_area = people.ref_area AND listed.year = people.year
    LEFT JOIN users ON listed.ref_area = users.ref_area AND users.year BETWEEN listed.year - 2 AND listed.year
    LEFT JOIN victims ON listed.ref_area = victims.ref_area AND listed.year = victims.year
    LEFT JOIN tier ON listed.ref_area = tier.ref_area AND listed.year = tier.year
    LEFT JOIN suspicious ON listed.ref_area = suspicious.ref_area AND listed.year = suspicious.year
    LEFT JOIN sent ON listed.ref_area = sent.ref_area AND listed.year = sent.year
    LEFT JOIN roles ON listed.ref_area = roles.ref_area
    WHERE area.kind IN ('country', 'former')
    QUALIFY row_number() OVER (PARTITION BY listed.ref_area, listed.year ORDER BY users.year DESC NULLS LAST) = 1
)

SELECT
    ref_area,
    area_name,
    cast(year AS VARCHAR) AS time_period,
    reports,
    referrals,
    informational,
    population,
    internet_users_percent,
    internet_users,
    internet_users_year,
    100000 * all_reports / nullif(population, 0) AS reports_per_100000_people,
    100000 * all_reports / nullif(internet_users, 0) AS reports_per_100000_internet_users,
    detected_victims,
    detected_victims_status,
    detected_victims_source_id,
    tip_tier,
    suspicious_transaction_reports,
    suspicious_remittances_from_here,
    side AS trade_role,
    role_citation,
    observation_ids
FROM joined;
COMMENT ON VIEW country_panel
IS 'One row a country and year: CyberTipline reports by country of upload, also per head, beside detected victims of
trafficking, the TIP tier and suspicious transactions. What nobody counts is null, never zero. Reports show where files
were uploaded, distorted by proxies, and not how much abuse there is.';
COMMENT ON COLUMN country_panel.area_name IS 'Name of the area, after ISO 3166-1.';
COMMENT ON COLUMN country_panel.time_period IS 'Calendar year; of a tier the year of the report.';
COMMENT ON COLUMN country_panel.reports
IS 'Reports; null from 2024, when referrals and informational stand in its place.';
COMMENT ON COLUMN country_panel.referrals IS 'Reports referred to law enforcement; printed from 2024.';
COMMENT ON COLUMN country_panel.informational IS 'Informational reports; printed from 2024.';
COMMENT ON COLUMN country_panel.population IS 'People, in the middle of the year (World Bank).';
COMMENT ON COLUMN country_panel.internet_users_percent IS 'People who use the internet, in percent (World Bank).';
COMMENT ON COLUMN country_panel.internet_users
IS 'That percentage of the population, else the number of users as printed, of internet_users_year.';
COMMENT ON COLUMN country_panel.internet_users_year
IS 'The year the users are of: this year, else the newest of the two before it that has a number.';
COMMENT ON COLUMN country_panel.reports_per_100000_people
IS 'Reports (from 2024 referrals and informational together) for every 100,000 people.';
COMMENT ON COLUMN country_panel.reports_per_100000_internet_users
IS 'The same for every 100,000 internet users of internet_users_year.';
COMMENT ON COLUMN country_panel.detected_victims
IS 'Victims of trafficking in persons that authorities detected, all ages and forms. Not how many there are.';
COMMENT ON COLUMN country_panel.detected_victims_status IS 'Its status: Q suppressed, O missing.';
COMMENT ON COLUMN country_panel.detected_victims_source_id IS 'The source it is from.';
COMMENT ON COLUMN country_panel.tip_tier
IS 'Tier of the US Trafficking in Persons Report: 1, 2, 2WL (watch list), 3 or special case. An order, never averaged.';
COMMENT ON COLUMN country_panel.suspicious_transaction_reports
IS 'Reports of suspicious transactions by universe; universes are never added.';
COMMENT ON COLUMN country_panel.suspicious_remittances_from_here
IS 'What was suspiciously remitted from here, where another area publishes it; for periods that take in the year.';
COMMENT ON COLUMN country_panel.trade_role
IS 'supply, demand or both, in the trade in livestreamed abuse; null: nobody says.';
COMMENT ON COLUMN country_panel.role_citation IS 'Who says so, and where.';
COMMENT ON COLUMN country_panel.observation_ids IS 'The observations behind the row.';
