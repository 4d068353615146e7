-- All entries of all slots, in order of appending; the columns of read_pending, then the slot.
SELECT sequence, run_id, token, event_id, type, data, document, ending, slot FROM outbox ORDER BY sequence
