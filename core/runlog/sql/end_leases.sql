-- Ends every lease of an owner at once: its former process is gone. The runs stay running, their takes used up. $1 owner.
WITH held AS (
  SELECT run_id FROM generation_runs WHERE state = 'running' AND lease_owner = $1 ORDER BY run_id FOR NO KEY UPDATE
)
UPDATE generation_runs r SET lease_expires_at = now() - interval '1 second' FROM held WHERE r.run_id = held.run_id
