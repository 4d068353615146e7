-- ?1 slot, ?2 run_id, ?3 lease token, ?4 event id, ?5 type, ?6 data, ?7 document, ?8 how the run ended (JSON) or null.
INSERT INTO outbox (slot, run_id, token, event_id, type, data, document, ending) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
