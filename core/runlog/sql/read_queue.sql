-- How many runs wait for a worker, and for how long the first of them has.
SELECT count(*) AS queued, coalesce(extract(epoch FROM now() - min(queued_at)), 0)::bigint AS oldest_s
FROM generation_runs
WHERE state = 'queued'
