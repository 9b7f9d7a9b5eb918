-- Q5: what do publishers call the same harm? Their words beside ours, with the days on which a word holds.
SELECT
    harm.harm,
    harm.luxembourg_term,
    harm_label.source_id,
    harm_label.label,
    harm_label.valid_from,
    harm_label.valid_to
FROM harm_label
INNER JOIN harm ON harm_label.harm = harm.harm
WHERE harm.harm NOT IN ('_T', '_U', '_Z')
ORDER BY harm.harm, harm_label.source_id, harm_label.label;

-- And how many figures wait in quarantine for a word that nobody has mapped yet.
SELECT
    source_id,
    count(*) AS unmapped
FROM quarantine
WHERE reason LIKE 'harm:%'
GROUP BY source_id
ORDER BY source_id;
