-- A provisional organisation that a codelist knows would split one organisation's figures in two.
SELECT
    provisional_organisation.organisation,
    provisional_organisation.printed_name
FROM provisional_organisation
INNER JOIN organisation ON provisional_organisation.organisation = organisation.organisation
ORDER BY provisional_organisation.organisation;
