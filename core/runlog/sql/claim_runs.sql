-- Takes the oldest runs that wait, or whose lease has expired. Several workers may run this at once: each row goes to one of them.
-- $1 how many, $2 owner, $3 lease in seconds, $4 whether expired leases may be taken now.
WITH waiting AS (
  SELECT run_id, state = 'running' AS taken_over
  FROM generation_runs
  WHERE state = 'queued' OR ($4::boolean AND state = 'running' AND lease_expires_at < now())
  ORDER BY start_order
  LIMIT $1::integer
  FOR UPDATE SKIP LOCKED
)
UPDATE generation_runs r
SET state = 'running', takes = r.takes + 1, started_at = now(), lease_owner = $2, lease_token = gen_random_uuid(),
    lease_expires_at = now() + make_interval(secs => $3::double precision)
FROM waiting w
WHERE r.run_id = w.run_id
RETURNING r.run_id, r.project_id, r.request, r.owner_email, r.attempt, r.lease_token, r.next_event_id, w.taken_over, r.start_order,
          coalesce(r.cancel_attempt = r.attempt, false) AS is_cancelled
