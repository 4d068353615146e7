-- Do xmin and ctid of projects tell one version of a row from another? Only where it is a plain table of the built-in kind, without
-- children: a view has neither, a foreign table or another table access method may have them without meaning.
SELECT relkind = 'r' AND NOT relhassubclass AND relam = (SELECT oid FROM pg_am WHERE amname = 'heap') AS are_known
FROM pg_class
WHERE oid = to_regclass('projects')
