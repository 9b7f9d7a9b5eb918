-- Q18: do reports come from few companies? Meta 94.3 percent in 2019, 51.9 in 2025.
SELECT
    meta.year,
    meta.name,
    round(meta.percent_of_all, 1) AS percent_of_all,
    round(whole.top_5_percent_of_all, 1) AS top_5_percent_of_all,
    round(whole.herfindahl_hirschman_index) AS herfindahl_hirschman_index
FROM share_of_reports AS meta
LEFT JOIN share_of_reports_concentration AS whole ON meta.source_id = whole.source_id AND meta.year = whole.year
WHERE meta.company = 'meta'
ORDER BY meta.year, meta.source_id;

-- Who is new, and who is gone.
SELECT
    year,
    direction,
    count(*) AS organisations,
    sum(reports) AS reports
FROM reports_turnover
GROUP BY year, direction
ORDER BY year, direction;
