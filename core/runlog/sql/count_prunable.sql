-- What prune_runs would remove, all of it. $1 seconds since the runs' end.
SELECT count(*) AS runs, coalesce(sum(next_event_id - 1), 0)::bigint AS events
FROM generation_runs
WHERE finished_at < now() - make_interval(secs => $1::double precision) AND events_pruned_at IS NULL
