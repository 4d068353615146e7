-- Takes an entry over from a former file with its sequence, unless another process has. Parameters as in append_step.
INSERT OR IGNORE INTO outbox (sequence, slot, run_id, token, event_id, type, data, document, ending)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
