-- The entries of one run that were written under one lease, of whichever slot, or refused. ?1 run, ?2 token, ?3 the event id after which.
SELECT sequence, run_id, token, event_id, type, data, document, ending FROM outbox WHERE run_id = ?1 AND token = ?2 AND event_id > ?3 ORDER BY event_id
