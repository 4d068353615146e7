-- The newest migration applied. Fails with 42P01 where nothing of ours is there yet.
SELECT coalesce(max(version), 0) AS version FROM generation_schema
