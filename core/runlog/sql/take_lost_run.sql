-- Takes a run from an owner that has not renewed its lease for long, to end it; no row where the run is not lost (any more), or where
-- somebody's transaction holds its row: whoever asks reads for many others, and asks again. $1 run_id, $2 the new owner, $3 seconds since the
-- lease's end, $4 the new lease in seconds.
UPDATE generation_runs run
SET lease_token = gen_random_uuid(), lease_owner = $2, lease_expires_at = now() + make_interval(secs => $4::double precision)
FROM (
  SELECT run_id
  FROM generation_runs
  WHERE run_id = $1::uuid AND state = 'running' AND lease_expires_at < now() - make_interval(secs => $3::double precision + takeover_wait_s)
  FOR NO KEY UPDATE SKIP LOCKED
) AS lost
WHERE run.run_id = lost.run_id
RETURNING run.run_id, project_id, request, owner_email, lease_token, next_event_id, takes AS former_takes,
          coalesce(cancel_attempt = attempt, false) AS is_cancelled
