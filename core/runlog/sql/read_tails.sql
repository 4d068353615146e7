-- What the log says beyond each of several cursors, from one snapshot: one row an event, or one row with a null id where a run has none.
-- $1 run ids, $2 ids already seen, $3 the most events per run.
SELECT c.place, c.run_id, r.state, r.next_event_id - 1 AS last_id, r.events_pruned_at IS NOT NULL AS is_pruned,
       e.id, e.type, e.data, e.committed_ms
FROM unnest($1::uuid[], $2::bigint[]) WITH ORDINALITY AS c (run_id, after, place)
LEFT JOIN generation_runs r ON r.run_id = c.run_id
LEFT JOIN LATERAL (
  SELECT id, type, data, (extract(epoch FROM created_at) * 1000)::bigint AS committed_ms
  FROM generation_events
  WHERE run_id = c.run_id AND id > c.after
  ORDER BY id
  LIMIT $3::integer
) e ON true
ORDER BY c.place, e.id
