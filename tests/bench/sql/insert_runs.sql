-- Makes runs that a writer far away holds for a day: number $2 to $3, named by the prefix $1 (a UUID's first 24 characters) and their
-- number, in projects bench_<run_id>. $4 lease token.
INSERT INTO generation_runs
  (run_id, project_id, chat_id, request, owner_email, state, started_at, lease_owner, lease_token, lease_expires_at)
SELECT name::uuid, 'bench_' || name, 'bench', '{}', 'bench@school.ae', 'running', now(), 'bench', $4::uuid, now() + interval '1 day'
FROM (SELECT $1 || lpad(to_hex(number), 12, '0') AS name FROM generate_series($2::bigint, $3::bigint) AS number) AS named
