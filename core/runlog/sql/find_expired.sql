-- Which of several runs have been pruned, or are not known at all. $1 run ids, $2 seconds since their end: those that prune_runs would
-- prune are told as well; null: they are not.
SELECT c.run_id, r.run_id IS NULL AS is_unknown
FROM unnest($1::uuid[]) AS c (run_id)
LEFT JOIN generation_runs r ON r.run_id = c.run_id
WHERE r.run_id IS NULL OR r.events_pruned_at IS NOT NULL OR r.finished_at < now() - make_interval(secs => $2::double precision)
