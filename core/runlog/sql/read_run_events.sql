-- All events of one run. $1 run_id.
SELECT id, type, data FROM generation_events WHERE run_id = $1::uuid ORDER BY id
