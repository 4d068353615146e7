-- ?1 run_id of a run whose rows are damaged, or have passed their retention.
DELETE FROM events WHERE run_id = ?1
