-- The type of the column by which a project is found, that under a domain; no row where there is no such column. From the catalogue: it waits
-- for no lock on the table.
SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS type
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass('projects') AND a.attname = 'id' AND NOT a.attisdropped
