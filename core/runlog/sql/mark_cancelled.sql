-- Notes that the attempt of a run that waits or runs is to be cancelled: from now on whoever has the run, or takes it, ends it. $1 run_id.
UPDATE generation_runs
SET cancel_attempt = attempt
WHERE run_id = $1::uuid AND state IN ('queued', 'running') AND cancel_attempt IS DISTINCT FROM attempt
