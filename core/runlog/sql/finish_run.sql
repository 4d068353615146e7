-- Ends a run's attempt and its lease, if its newest event is the one that says so. $1 run_id, $2 lease token, $3 complete or error,
-- $4 error code, $5 error message, $6 LLM calls, $7 prompt tokens, $8 completion tokens, $9 cost in USD; NULL where not known;
-- $10 event id. What one attempt does not know, the sums over all of them do not know for ever.
UPDATE generation_runs
SET state = $3, finished_at = now(), error_code = $4, error_message = $5,
    lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL,
    llm_calls = llm_calls + $6::bigint,
    prompt_tokens = CASE attempt WHEN 1 THEN 0 ELSE prompt_tokens END + $7::bigint,
    completion_tokens = CASE attempt WHEN 1 THEN 0 ELSE completion_tokens END + $8::bigint,
    cost_usd = CASE attempt WHEN 1 THEN 0 ELSE cost_usd END + $9::numeric
WHERE run_id = $1::uuid AND lease_token = $2::uuid AND next_event_id = $10::bigint + 1
