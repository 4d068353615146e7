-- Removes the events of some runs that ended long ago and have not been pruned yet, and all that people wrote: the request and the
-- owner's address. Runs that somebody else is at are left for the next time; the oldest first, by the index generation_runs_unpruned.
-- $1 seconds since their end, $2 the most runs. Answers the runs, and how many events they had.
WITH old AS (
  SELECT run_id
  FROM generation_runs
  WHERE finished_at < now() - make_interval(secs => $1::double precision) AND events_pruned_at IS NULL
  ORDER BY finished_at
  LIMIT $2::integer
  FOR UPDATE SKIP LOCKED
), marked AS (
  UPDATE generation_runs r SET events_pruned_at = now(), request = '{}', owner_email = ''
  FROM old WHERE r.run_id = old.run_id RETURNING r.run_id
), gone AS (
  DELETE FROM generation_events e USING old WHERE e.run_id = old.run_id RETURNING 1
)
SELECT run_id, (SELECT count(*) FROM gone) AS events FROM marked
