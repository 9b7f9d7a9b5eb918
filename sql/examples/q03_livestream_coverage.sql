-- Q3: who counts live-streamed abuse? A row of gaps, each with the documents in which a count was looked for.
SELECT
    organisation,
    state,
    min(year) AS from_year,
    max(year) AS to_year,
    sum(len(documents_searched)) AS documents_searched
FROM coverage
WHERE harm = 'livestreamed_abuse'
GROUP BY organisation, state
ORDER BY organisation, state;
