-- Gives a run that ended in error and whose events are gone another id and the request of now, so that its next attempt begins from
-- the beginning: the old id's events must not be mixed up with new ones anywhere. No row where it is not such a run. $1 run_id, $2 its
-- new id, $3 request, $4 owner_email.
UPDATE generation_runs
SET run_id = $2::uuid, request = $3::json, owner_email = $4, next_event_id = 1, events_pruned_at = NULL, llm_calls = 0,
    prompt_tokens = 0, completion_tokens = 0, cost_usd = 0
WHERE run_id = $1::uuid AND state = 'error' AND events_pruned_at IS NOT NULL
RETURNING run_id
