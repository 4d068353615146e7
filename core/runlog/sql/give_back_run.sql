-- Puts a run back into the queue, its attempt not used up. $1 run_id, $2 token.
UPDATE generation_runs
SET state = 'queued', lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
WHERE run_id = $1::uuid AND lease_token = $2::uuid
