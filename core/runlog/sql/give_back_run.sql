-- Puts a run back into the queue: neither its attempt nor a take is used up. $1 run_id, $2 token.
UPDATE generation_runs
SET state = 'queued', takes = greatest(takes - 1, 0), lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
WHERE run_id = $1::uuid AND lease_token = $2::uuid
