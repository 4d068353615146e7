-- The event of one entry. ?1 sequence.
SELECT run_id, event_id, type, data FROM outbox WHERE sequence = ?1
