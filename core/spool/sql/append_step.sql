-- ?1 sequence: null, the next one; ?2 slot, ?3 run_id, ?4 lease token, ?5 event id, ?6 type, ?7 data, ?8 document,
-- ?9 how the run ended (JSON) or null.
INSERT INTO outbox (sequence, slot, run_id, token, event_id, type, data, document, ending) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
