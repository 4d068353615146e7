-- Takes a run that is to be cancelled and that nobody works for: it waits in the queue, or its lease ended long ago. No row where a
-- worker has it, which will end it. $1 run_id, $2 the new owner, $3 seconds since the lease's end, $4 the new lease in seconds.
UPDATE generation_runs
SET state = 'running', lease_token = gen_random_uuid(), lease_owner = $2,
    lease_expires_at = now() + make_interval(secs => $4::double precision)
WHERE run_id = $1::uuid AND cancel_attempt = attempt
  AND (state = 'queued' OR (state = 'running' AND lease_expires_at < now() - make_interval(secs => $3::double precision)))
RETURNING run_id, project_id, request, owner_email, lease_token, next_event_id, takes AS former_takes
