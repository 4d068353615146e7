-- Queues the next attempt of a run that ended in error; no row where it is in another state. $1 run_id.
UPDATE generation_runs
SET state = 'queued', attempt = attempt + 1, takes = 0, start_order = nextval('generation_start_order'), queued_at = now(),
    finished_at = NULL, error_code = NULL, error_message = NULL
WHERE run_id = $1::uuid AND state = 'error'
RETURNING run_id
