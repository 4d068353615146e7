-- A run's events in order. ?1 run_id, ?2 after this event id, ?3 how many.
SELECT event_id, type, data, committed_at, crc FROM events WHERE run_id = ?1 AND event_id > ?2 ORDER BY event_id LIMIT ?3
