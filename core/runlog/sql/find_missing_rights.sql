-- The rights on the service's tables that this role lacks, one row each; tables that are not there are passed over.
SELECT w.privilege || ' on ' || w.relation AS missing
FROM (VALUES ('generation_schema', 'SELECT'),
             ('generation_runs', 'SELECT'), ('generation_runs', 'INSERT'), ('generation_runs', 'UPDATE'),
             ('generation_events', 'SELECT'), ('generation_events', 'INSERT'), ('generation_events', 'DELETE'),
             ('projects', 'SELECT'), ('projects', 'UPDATE')) AS w (relation, privilege)
WHERE to_regclass(w.relation) IS NOT NULL AND NOT has_table_privilege(to_regclass(w.relation), w.privilege)
UNION ALL
SELECT 'USAGE on generation_start_order'
WHERE to_regclass('generation_start_order') IS NOT NULL
  AND NOT has_sequence_privilege(to_regclass('generation_start_order'), 'USAGE')
ORDER BY 1
