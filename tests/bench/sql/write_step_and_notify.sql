-- What the service avoids: a step's event and document, and the NOTIFY in the same transaction. $1 run_id, $2 lease token, $3 event id,
-- $4 type, $5 data, $6 project id, $7 document.
WITH fenced AS (
  UPDATE generation_runs
  SET next_event_id = next_event_id + 1
  WHERE run_id = $1::uuid AND lease_token = $2::uuid AND next_event_id = $3::bigint
  RETURNING run_id
),
appended AS (
  INSERT INTO generation_events (run_id, id, type, data)
  SELECT run_id, $3::bigint, $4, $5::json FROM fenced
),
replaced AS (
  UPDATE projects SET spec_json = $7::jsonb, updated_at = now() WHERE id = $6 AND EXISTS (SELECT FROM fenced)
)
SELECT pg_notify('generation_events', run_id::text) FROM fenced
