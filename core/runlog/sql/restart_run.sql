-- Queues the next attempt of a run that ended in error, where fewer than $2 wait (0: however many). One row: whether there was room, and
-- the run's id, null where there was none, where the run is in another state, or where its events are gone. $1 run_id.
WITH room AS (
  SELECT $2::bigint = 0 OR count(*) < $2::bigint AS is_free
  FROM (SELECT FROM generation_runs WHERE state = 'queued' LIMIT $2::bigint) AS waiting
),
restarted AS (
  UPDATE generation_runs
  SET state = 'queued', attempt = attempt + 1, takes = 0, start_order = nextval('generation_start_order'), queued_at = now(),
      finished_at = NULL, error_code = NULL, error_message = NULL
  FROM room
  WHERE room.is_free AND run_id = $1::uuid AND state = 'error' AND events_pruned_at IS NULL
  RETURNING run_id
)
SELECT room.is_free, restarted.run_id FROM room LEFT JOIN restarted ON true
