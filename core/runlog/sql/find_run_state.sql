-- The state of a run and, where it ended in error, the error's code. $1 run_id.
SELECT state, error_code FROM generation_runs WHERE run_id = $1::uuid
