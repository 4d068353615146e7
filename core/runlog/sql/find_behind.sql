-- The safety net under the doorbell: which of several followed runs have events that their reader has not seen, and which run has lost
-- its worker, its lease having expired long ago. Each row, of which there is one at least, says what the clock is by which that is judged
-- (milliseconds since 1970). $1 run ids, $2 ids already seen, $3 seconds since the lease's end.
SELECT clock.clock_ms, found.run_id, found.is_behind, found.is_lost
FROM (SELECT (extract(epoch FROM now()) * 1000)::bigint AS clock_ms) AS clock
LEFT JOIN (
  SELECT r.run_id, r.next_event_id - 1 > c.after AS is_behind,
         coalesce(r.state = 'running' AND r.lease_expires_at < now() - make_interval(secs => $3::double precision + r.takeover_wait_s), false) AS is_lost
  FROM unnest($1::uuid[], $2::bigint[]) AS c (run_id, after)
  JOIN generation_runs r ON r.run_id = c.run_id
  WHERE r.next_event_id - 1 > c.after
     OR (r.state = 'running' AND r.lease_expires_at < now() - make_interval(secs => $3::double precision + r.takeover_wait_s))
) AS found ON true
