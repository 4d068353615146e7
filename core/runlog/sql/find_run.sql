-- The pair's run. $1 project_id, $2 chat_id, $3 the request to compare with (json as text), $4 its owner. What a pruned run was asked
-- with is not known any more.
SELECT run_id, state, events_pruned_at IS NOT NULL AS is_pruned,
       events_pruned_at IS NULL AND (request::jsonb <> $3::jsonb OR owner_email <> $4) AS request_differs
FROM generation_runs
WHERE project_id = $1 AND chat_id = $2
