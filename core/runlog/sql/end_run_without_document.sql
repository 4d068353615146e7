-- Ends a run in error whose document cannot be made, because what is stored of it cannot be read back: the event and the end in one
-- statement, under the same fence as every event. The project's document stays as it is. $1 run_id, $2 lease token, $3 event id,
-- $4 data, $5 error code, $6 error message.
WITH ended AS (
  UPDATE generation_runs
  SET state = 'error', next_event_id = next_event_id + 1, finished_at = now(), error_code = $5, error_message = $6,
      lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
  WHERE run_id = $1::uuid AND lease_token = $2::uuid AND next_event_id = $3::bigint
  RETURNING run_id
)
INSERT INTO generation_events (run_id, id, type, data)
SELECT run_id, $3::bigint, 'error', $4::json FROM ended
RETURNING id
