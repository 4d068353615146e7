-- Lets every lease of an owner expire at once: its former process is gone. $1 owner.
WITH held AS (
  SELECT run_id FROM generation_runs WHERE state = 'running' AND lease_owner = $1 ORDER BY run_id FOR NO KEY UPDATE
)
UPDATE generation_runs r SET lease_expires_at = now() - interval '1 second' FROM held WHERE r.run_id = held.run_id
