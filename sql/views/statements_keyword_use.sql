CREATE VIEW statements_keyword_use AS
SELECT
    subject,
    min(period_start) AS first_day,
    max(period_end) AS last_day,
    count(*) AS periods,
    sum(minors_statements) AS minors_statements,
    sum(csam_pairs) AS csam_pairs,
    sum(coalesce(csam_deepfake_pairs, 0)) AS csam_deepfake_pairs,
    sum(grooming_pairs) AS grooming_pairs,
    sum(age_restriction_pairs) AS age_restriction_pairs,
    sum(coalesce(unsafe_challenge_pairs, 0)) AS unsafe_challenge_pairs,
    100 * sum(csam_pairs) / nullif(sum(minors_statements), 0) AS csam_pairs_per_100_minors_statements,
    100 * (
        sum(csam_pairs) + sum(coalesce(csam_deepfake_pairs, 0)) + sum(grooming_pairs) + sum(age_restriction_pairs)
        + sum(coalesce(unsafe_challenge_pairs, 0))
    ) / nullif(sum(minors_statements), 0) AS keyword_pairs_per_100_minors_statements,
    min(time_period) FILTER (WHERE csam_pairs > 0) AS first_csam_period,
    max(time_period) FILTER (WHERE csam_pairs > 0) AS last_csam_period,
    sum(csam_pairs) + sum(coalesce(csam_deepfake_pairs, 0)) = 0 AS never_says_csam
FROM minors_statements
GROUP BY subject
HAVING sum(minors_statements + csam_pairs + grooming_pairs + age_restriction_pairs) > 0;
COMMENT ON VIEW statements_keyword_use
IS 'One row a platform with statements about minors in the DSA Transparency Database: how often they carry a keyword,
and who never labels child sexual abuse material as such. Keywords are optional: absence is not absence of material.';
COMMENT ON COLUMN statements_keyword_use.first_day IS 'First day that was counted.';
COMMENT ON COLUMN statements_keyword_use.last_day IS 'Last day that was counted.';
COMMENT ON COLUMN statements_keyword_use.periods IS 'Months, or parts of one, with any statement of the platform.';
COMMENT ON COLUMN statements_keyword_use.minors_statements
IS 'Statements whose main category is protection of minors.';
COMMENT ON COLUMN statements_keyword_use.csam_pairs
IS 'Pairs of a statement and the keyword child sexual abuse material.';
COMMENT ON COLUMN statements_keyword_use.csam_deepfake_pairs
IS 'Pairs with the keyword for deepfakes of it, since 2025-07.';
COMMENT ON COLUMN statements_keyword_use.grooming_pairs IS 'Pairs with the keyword grooming or sexual enticement.';
COMMENT ON COLUMN statements_keyword_use.age_restriction_pairs IS 'Pairs with the keyword age-specific restrictions.';
COMMENT ON COLUMN statements_keyword_use.unsafe_challenge_pairs
IS 'Pairs with the keyword unsafe challenges, since 2025-07.';
COMMENT ON COLUMN statements_keyword_use.csam_pairs_per_100_minors_statements
IS 'Pairs for 100 statements about minors: no share, since a keyword can stand under another category.';
COMMENT ON COLUMN statements_keyword_use.keyword_pairs_per_100_minors_statements
IS 'The same for the five keywords together; a statement with two of them counts twice.';
COMMENT ON COLUMN statements_keyword_use.first_csam_period IS 'First period with the keyword; null if never.';
COMMENT ON COLUMN statements_keyword_use.last_csam_period IS 'Last period with it.';
COMMENT ON COLUMN statements_keyword_use.never_says_csam
IS 'True where no statement carries the keyword for child sexual abuse material or for deepfakes of it.';
