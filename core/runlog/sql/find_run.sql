-- The pair's run. $1 project_id, $2 chat_id, $3 the request to compare with (json as text).
SELECT run_id, state, events_pruned_at IS NOT NULL AS is_pruned, request::jsonb <> $3::jsonb AS request_differs
FROM generation_runs
WHERE project_id = $1 AND chat_id = $2
