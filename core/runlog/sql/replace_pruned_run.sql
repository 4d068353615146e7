-- Begins a run that ended in error and whose events are gone from the beginning, under a new id: the old one's events must not be mixed
-- up with the new ones anywhere. No row where it is not such a run. $1 run_id, $2 its new id, $3 request, $4 owner_email.
UPDATE generation_runs
SET run_id = $2::uuid, request = $3::json, owner_email = $4, state = 'queued', attempt = 1, takes = 0, next_event_id = 1,
    start_order = nextval('generation_start_order'), queued_at = now(), started_at = NULL, finished_at = NULL, events_pruned_at = NULL,
    llm_calls = 0, prompt_tokens = NULL, completion_tokens = NULL, cost_usd = NULL, error_code = NULL, error_message = NULL
WHERE run_id = $1::uuid AND state = 'error' AND events_pruned_at IS NOT NULL
RETURNING run_id
