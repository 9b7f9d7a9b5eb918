-- An organisation belongs to one other at a time: two would count its reports twice.
SELECT
    one.organisation,
    one.parent,
    other.parent AS other_parent
FROM organisation_parent AS one
INNER JOIN organisation_parent AS other ON one.organisation = other.organisation AND one.rowid < other.rowid
WHERE
    coalesce(one.valid_from, DATE '0001-01-01') <= coalesce(other.valid_to, DATE '9999-12-31')
    AND coalesce(other.valid_from, DATE '0001-01-01') <= coalesce(one.valid_to, DATE '9999-12-31')
ORDER BY one.organisation;
