-- The columns of the table projects, none where there is no such table. type: of a domain the type that it is made of. is_required: a row
-- cannot be inserted without a value for it. may_insert: this role may insert a row with a value for it.
SELECT a.attname AS name, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL) AS type,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = '' AS is_required,
       has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS may_insert
FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass('projects') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
