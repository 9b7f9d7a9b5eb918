CREATE VIEW victim_age AS
WITH banded AS (
    SELECT
        source_id,
        reporter,
        ref_area,
        metric,
        harm,
        time_period,
        coalesce(dimensions['age_group'], dimensions['age']) AS age_band,
        coalesce(dimensions['universe'], source_id) AS universe,
        obs_value,
        obs_status,
        unit_measure,
        observation_id
    FROM observation
    WHERE
        metric IN (
            'cvip_victims_identified',
            'trafficking_victims_detected',
            'victims_identified',
            'victims_rescued_cumulative'
        )
        AND coalesce(dimensions['age_group'], dimensions['age']) IS NOT NULL
        AND coalesce(dimensions['sex'], '_T') = '_T'
        AND coalesce(dimensions['citizenship'], '_T') = '_T'
)

SELECT
    part.source_id,
    part.reporter,
    part.ref_area,
    part.metric,
    part.harm,
    part.universe,
    part.time_period,
    part.age_band,
    CASE
        WHEN part.age_band IN ('Y0T17', 'Y_GE18') THEN CASE part.age_band WHEN 'Y0T17' THEN 0 ELSE 18 END
        ELSE try_cast(regexp_extract(part.age_band, '^y([0-9]+)_', 1) AS INTEGER)
    END AS age_from,
    CASE
        WHEN part.age_band = 'Y0T17' THEN 17
        ELSE try_cast(nullif(regexp_extract(part.age_band, '_([0-9]+)$', 1), '') AS INTEGER)
    END AS age_to,
    part.obs_value AS victims,
    part.obs_status,
    whole.obs_value AS victims_of_all_ages,
    100 * part.obs_value / nullif(whole.obs_value, 0) AS percent_of_all_ages,
    CASE
        WHEN whole.observation_id IS NULL THEN [part.observation_id]
        ELSE [part.observation_id, whole.observation_id]
    END AS observation_ids
FROM banded AS part
LEFT JOIN banded AS whole
    ON
        part.source_id = whole.source_id
        AND part.reporter = whole.reporter
        AND part.ref_area = whole.ref_area
        AND part.metric = whole.metric
        AND part.harm = whole.harm
        AND part.universe = whole.universe
        AND part.time_period = whole.time_period
        AND whole.age_band = '_T'
WHERE part.age_band <> '_T';
COMMENT ON VIEW victim_age
IS 'One row an age band of victims, as each publisher draws its bands; bands of different sources overlap and are not
added. Ages that one text says only in words (a median, a share under some age) are in quoted.';
COMMENT ON COLUMN victim_age.universe IS 'Which cases are counted; the source where it counts one universe only.';
COMMENT ON COLUMN victim_age.age_band IS 'The band as the source codes it.';
COMMENT ON COLUMN victim_age.age_from IS 'Lowest age in years; null where the band is named in words.';
COMMENT ON COLUMN victim_age.age_to IS 'Highest age in years; null where open or named in words.';
COMMENT ON COLUMN victim_age.victims IS 'Victims in the band.';
COMMENT ON COLUMN victim_age.victims_of_all_ages
IS 'Victims of all ages, as printed beside it; null where not printed.';
COMMENT ON COLUMN victim_age.percent_of_all_ages IS 'The band in percent of all ages.';
COMMENT ON COLUMN victim_age.observation_ids IS 'The observations behind the row.';
