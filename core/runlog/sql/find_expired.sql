-- Which of several runs have been pruned, or are not known at all. $1 run ids.
SELECT c.run_id, r.run_id IS NULL AS is_unknown
FROM unnest($1::uuid[]) AS c (run_id)
LEFT JOIN generation_runs r ON r.run_id = c.run_id
WHERE r.run_id IS NULL OR r.events_pruned_at IS NOT NULL
