-- Renews the leases given as two arrays of one length, and returns the runs that are still ours. $1 run ids, $2 tokens, $3 seconds.
UPDATE generation_runs r
SET lease_expires_at = now() + make_interval(secs => $3::double precision)
FROM unnest($1::uuid[], $2::uuid[]) AS held (run_id, token)
WHERE r.run_id = held.run_id AND r.lease_token = held.token
RETURNING r.run_id
