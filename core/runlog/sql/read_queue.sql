-- How many runs wait for a worker, and for how long the first of them has; and whether the database takes writes at all: a standby does not,
-- nor does one that was set to default_transaction_read_only.
SELECT count(*) AS queued, coalesce(extract(epoch FROM now() - min(queued_at)), 0)::bigint AS oldest_s,
       current_setting('transaction_read_only')::boolean AS is_read_only
FROM generation_runs
WHERE state = 'queued'
