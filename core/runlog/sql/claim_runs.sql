-- Takes runs that have lost their worker, then the oldest that wait and may begin: an owner has at most $5 runs running, a project at
-- most $6. Each row goes to one of several workers at once; for the caps to hold they take turns (lock_queue). Looks at the oldest of
-- the queue only; claim_behind.sql looks further. A run that lost its worker waits longer each time before it is taken again; one
-- that is to be cancelled, or was taken $7 times, is taken at once, to be ended. $1 how many, $2 owner of the leases, $3 lease in seconds,
-- $4 whether expired leases may be taken now, $8 the wait before the third take, in seconds: each one after it is three times as long,
-- $9 runs whose leases the worker itself holds: it would take them from itself.
WITH abandoned AS (
  SELECT run_id, lease_token
  FROM generation_runs
  WHERE $4::boolean AND state = 'running' AND lease_expires_at < now() AND run_id <> ALL ($9::uuid[])
    AND (lease_expires_at < now() - make_interval(secs => takeover_wait_s) OR cancel_attempt = attempt OR takes >= $7::integer)
  ORDER BY start_order
  LIMIT $1::integer
  FOR UPDATE SKIP LOCKED
),
oldest AS (
  SELECT run_id, owner_email, project_id, start_order, coalesce(cancel_attempt = attempt, false) AS is_cancelled
  FROM generation_runs
  WHERE state = 'queued'
  ORDER BY start_order
  LIMIT $1::integer + 200
),
busy AS (
  SELECT owner_email, project_id FROM generation_runs WHERE state = 'running' AND EXISTS (SELECT FROM oldest)
),
owners AS (SELECT owner_email, count(*) AS runs FROM busy GROUP BY owner_email),
projects AS (SELECT project_id, count(*) AS runs FROM busy GROUP BY project_id),
-- Place 1 is an owner's, or a project's, next run.
placed AS (
  SELECT run_id, start_order, is_cancelled,
         coalesce(owners.runs, 0) + row_number() OVER (PARTITION BY owner_email ORDER BY start_order) AS owner_place,
         coalesce(projects.runs, 0) + row_number() OVER (PARTITION BY project_id ORDER BY start_order) AS project_place
  FROM oldest LEFT JOIN owners USING (owner_email) LEFT JOIN projects USING (project_id)
  WHERE is_cancelled OR (coalesce(owners.runs, 0) < $5::integer AND coalesce(projects.runs, 0) < $6::integer)
),
chosen AS (
  SELECT run_id
  FROM placed
  WHERE is_cancelled OR (owner_place <= $5::integer AND project_place <= $6::integer)
  ORDER BY start_order
  LIMIT $1::integer - (SELECT count(*) FROM abandoned)
),
unlocked AS (
  SELECT run_id FROM generation_runs
  WHERE run_id IN (SELECT run_id FROM chosen) AND state = 'queued'
  FOR UPDATE SKIP LOCKED
),
waiting AS (
  SELECT run_id, lease_token AS former_token FROM abandoned UNION ALL SELECT run_id, NULL FROM unlocked
)
UPDATE generation_runs r
SET state = 'running', takes = r.takes + 1, started_at = now(), lease_owner = $2, lease_token = gen_random_uuid(),
    lease_expires_at = clock_timestamp() + make_interval(secs => $3::double precision),
    takeover_wait_s = CASE WHEN r.takes = 0 THEN 0 ELSE least(300, $8::integer * 3 ^ (r.takes - 1)) END
FROM waiting w
WHERE r.run_id = w.run_id
RETURNING r.run_id, r.project_id, r.request, r.owner_email, r.attempt, r.lease_token, r.next_event_id, r.takes - 1 AS former_takes, r.start_order, w.former_token,
          coalesce(r.cancel_attempt = r.attempt, false) AS is_cancelled, w.former_token IS NOT NULL AND r.takes > $7::integer AS is_used_up,
          (SELECT count(*) FROM oldest) > (SELECT count(*) FROM unlocked) OR (SELECT count(*) FROM abandoned) = $1::integer AS is_more_waiting
