-- Which of the runs held under the leases given are to be cancelled. $1 run ids, $2 tokens.
SELECT r.run_id
FROM unnest($1::uuid[], $2::uuid[]) AS given (run_id, token)
JOIN generation_runs r ON r.run_id = given.run_id
WHERE r.lease_token = given.token AND r.cancel_attempt = r.attempt
