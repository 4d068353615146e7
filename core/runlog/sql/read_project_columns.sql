-- The columns of the table projects, none where there is no such table. is_required: a row cannot be inserted without a value for it.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AS is_required
FROM pg_attribute a
WHERE a.attrelid = to_regclass('projects') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
