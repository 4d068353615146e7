-- Is the log behind the owner of this lease? The newest event it has; no row where the lease is somebody else's or nothing is missing.
-- $1 run_id, $2 lease token, $3 the id that the owner wants to write.
SELECT next_event_id - 1 AS last_id
FROM generation_runs
WHERE run_id = $1::uuid AND lease_token = $2::uuid AND next_event_id < $3::bigint
