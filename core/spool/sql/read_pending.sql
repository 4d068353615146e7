-- The oldest entries of a slot. ?1 slot, ?2 how many.
SELECT sequence, run_id, token, event_id, type, data, document, ending FROM outbox WHERE slot = ?1 ORDER BY sequence LIMIT ?2
