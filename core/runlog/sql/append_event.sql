-- Appends one event, if the lease and the number are right; no row where they are not. $1 run_id, $2 lease token, $3 event id, $4 type,
-- $5 data.
WITH fenced AS (
  UPDATE generation_runs
  SET next_event_id = next_event_id + 1
  WHERE run_id = $1::uuid AND lease_token = $2::uuid AND next_event_id = $3::bigint
  RETURNING run_id
)
INSERT INTO generation_events (run_id, id, type, data)
SELECT run_id, $3::bigint, $4, $5::json FROM fenced
RETURNING run_id
