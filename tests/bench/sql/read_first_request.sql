-- The stored request and the owner of the first run, and how many runs there are.
SELECT request::text AS request, owner_email, (SELECT count(*) FROM generation_runs) AS runs FROM generation_runs ORDER BY start_order LIMIT 1
