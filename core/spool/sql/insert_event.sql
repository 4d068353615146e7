-- Keeps a confirmed event unless it is there. ?1 run_id, ?2 event id, ?3 type, ?4 data, ?5 committed at, ?6 crc, ?7 stored at.
INSERT OR IGNORE INTO events (run_id, event_id, type, data, committed_at, crc, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
