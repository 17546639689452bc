SELECT {column}, count(DISTINCT person) AS persons
FROM {table}
GROUP BY {column}
ORDER BY {column}