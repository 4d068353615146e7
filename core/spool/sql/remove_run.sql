-- ?1 run_id of a run whose rows are damaged.
DELETE FROM events WHERE run_id = ?1
