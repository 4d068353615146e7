-- A run's newest event. ?1 run_id.
SELECT event_id, type, data, committed_at, crc FROM events WHERE run_id = ?1 ORDER BY event_id DESC LIMIT 1
