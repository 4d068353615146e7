-- ?1 run_id of a run whose rows are damaged, have passed their retention, or are not what the log has.
DELETE FROM events WHERE run_id = ?1
