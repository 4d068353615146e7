-- The newest runs, without what is personal in them. $1 state, or null for all; $2 the most rows.
SELECT run_id, project_id, state, attempt, next_event_id - 1 AS last_event_id, error_code, events_pruned_at IS NOT NULL AS is_pruned,
       (extract(epoch FROM queued_at) * 1000)::bigint AS queued_ms, (extract(epoch FROM started_at) * 1000)::bigint AS started_ms,
       (extract(epoch FROM finished_at) * 1000)::bigint AS finished_ms
FROM generation_runs
WHERE $1::text IS NULL OR state = $1
ORDER BY start_order DESC
LIMIT $2::integer
