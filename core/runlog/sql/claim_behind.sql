-- The same as claim_runs.sql for runs that wait, where none of the oldest of the queue may begin: steps from lane to lane - an owner's
-- runs of one project - and passes over all lanes of an owner, or a lane of a project, that has its share. So it costs a few
-- microseconds a lane and nothing for the runs in it. $1 how many,
-- $2 owner of the leases, $3 lease in seconds, $4 the wait before the third take in seconds, $5 and $6 the caps.
WITH RECURSIVE busy AS (
  SELECT owner_email, project_id FROM generation_runs WHERE state = 'running'
),
owners AS (SELECT owner_email, count(*) AS runs FROM busy GROUP BY owner_email),
projects AS (SELECT project_id, count(*) AS runs FROM busy GROUP BY project_id),
full_owners AS (SELECT owner_email FROM owners WHERE runs >= $5::integer),
full_projects AS (SELECT project_id FROM projects WHERE runs >= $6::integer),
lanes AS (
  (SELECT owner_email, project_id FROM generation_runs WHERE state = 'queued' ORDER BY owner_email, project_id LIMIT 1)
  UNION ALL
  SELECT further.owner_email, further.project_id
  FROM lanes
  CROSS JOIN LATERAL (
    (SELECT q.owner_email, q.project_id
     FROM generation_runs q
     WHERE q.state = 'queued' AND q.owner_email = lanes.owner_email AND q.project_id > lanes.project_id
       AND lanes.owner_email NOT IN (SELECT owner_email FROM full_owners)
     ORDER BY q.project_id
     LIMIT 1)
    UNION ALL
    (SELECT q.owner_email, q.project_id
     FROM generation_runs q
     WHERE q.state = 'queued' AND q.owner_email > lanes.owner_email
     ORDER BY q.owner_email, q.project_id
     LIMIT 1)
    ORDER BY owner_email, project_id
    LIMIT 1
  ) AS further
),
placed AS (
  SELECT lane_run.run_id, lane_run.start_order,
         coalesce(owners.runs, 0) + row_number() OVER (PARTITION BY owner_email ORDER BY lane_run.start_order) AS owner_place,
         coalesce(projects.runs, 0) + row_number() OVER (PARTITION BY project_id ORDER BY lane_run.start_order) AS project_place
  FROM lanes
  LEFT JOIN owners USING (owner_email)
  LEFT JOIN projects USING (project_id)
  CROSS JOIN LATERAL (
    SELECT q.run_id, q.start_order
    FROM generation_runs q
    WHERE q.state = 'queued' AND q.owner_email = lanes.owner_email AND q.project_id = lanes.project_id
    ORDER BY q.start_order
    LIMIT least($1::integer, $5::integer, $6::integer)
  ) AS lane_run
  WHERE owner_email NOT IN (SELECT owner_email FROM full_owners) AND project_id NOT IN (SELECT project_id FROM full_projects)
),
chosen AS (
  SELECT run_id
  FROM placed
  WHERE owner_place <= $5::integer AND project_place <= $6::integer
  ORDER BY start_order
  LIMIT $1::integer
),
unlocked AS (
  SELECT run_id FROM generation_runs
  WHERE run_id IN (SELECT run_id FROM chosen) AND state = 'queued'
  FOR UPDATE SKIP LOCKED
)
UPDATE generation_runs r
SET state = 'running', takes = r.takes + 1, started_at = now(), lease_owner = $2, lease_token = gen_random_uuid(),
    lease_expires_at = clock_timestamp() + make_interval(secs => $3::double precision),
    takeover_wait_s = CASE WHEN r.takes = 0 THEN 0 ELSE least(300, $4::integer * 3 ^ (r.takes - 1)) END
FROM unlocked w
WHERE r.run_id = w.run_id
RETURNING r.run_id, r.project_id, r.request, r.owner_email, r.attempt, r.lease_token, r.next_event_id, r.takes - 1 AS former_takes, r.start_order,
          NULL::uuid AS former_token, coalesce(r.cancel_attempt = r.attempt, false) AS is_cancelled, false AS is_used_up, true AS is_more_waiting
