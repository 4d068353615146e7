-- The last event before the first gap, from the index alone. ?1 run_id, ?2 an event id that is there.
SELECT event_id FROM events AS here
WHERE run_id = ?1 AND event_id >= ?2
  AND NOT EXISTS (SELECT 1 FROM events AS next WHERE next.run_id = ?1 AND next.event_id = here.event_id + 1)
ORDER BY event_id LIMIT 1
