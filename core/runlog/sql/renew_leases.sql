-- Renews the leases given as two arrays of one length, and returns the runs that are still ours and whether they are to be cancelled. The rows are locked by run_id, as
-- everywhere, so that this and a writer of several of these runs do not wait for each other. The lease is counted from the moment in which
-- it is written, not from the transaction's begin: there may be a wait for a lock between. $1 run ids, $2 tokens, $3 seconds.
WITH held AS (
  SELECT r.run_id
  FROM generation_runs r JOIN unnest($1::uuid[], $2::uuid[]) AS given (run_id, token) ON r.run_id = given.run_id
  WHERE r.lease_token = given.token
  ORDER BY r.run_id
  FOR NO KEY UPDATE OF r
)
UPDATE generation_runs r
SET lease_expires_at = clock_timestamp() + make_interval(secs => $3::double precision)
FROM held
WHERE r.run_id = held.run_id
RETURNING r.run_id, coalesce(r.cancel_attempt = r.attempt, false) AS is_cancelled
