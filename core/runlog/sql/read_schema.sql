-- The newest migration applied, and the oldest schema version that a program must know to work with what is there (1 where an early
-- database does not say). Fails with 42P01 where nothing of ours is there yet.
SELECT coalesce(max(version), 0) AS version, coalesce(max((to_jsonb(s) ->> 'compatible_from')::integer), 1) AS compatible_from
FROM generation_schema s
