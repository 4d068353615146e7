-- Lets every lease of an owner expire at once: its former process is gone. $1 owner.
UPDATE generation_runs SET lease_expires_at = now() - interval '1 second' WHERE state = 'running' AND lease_owner = $1
