-- Records new runs in one transaction, as insert_run does with one: as many as there is room for, none where the pair has a run already.
-- A row for each that was recorded. $1 run ids, $2 project ids, $3 chat ids, $4 requests, $5 owner addresses; $6 how many may wait (0:
-- however many). In the order of pairs, so that two that record the same ones do not wait for each other in a ring. Sub-selects around the
-- arrays keep the planner from looking into them: it plans once, not each time.
WITH room AS (
  SELECT CASE WHEN $6::bigint > 0 THEN greatest(0, $6::bigint - count(*)) END AS places
  FROM (SELECT FROM generation_runs WHERE state = 'queued' LIMIT $6::bigint) AS waiting
)
INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email)
SELECT run_id, project_id, chat_id, request::json, owner_email
FROM unnest((SELECT $1::uuid[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]), (SELECT $5::text[]))
  AS given (run_id, project_id, chat_id, request, owner_email)
ORDER BY project_id, chat_id
LIMIT (SELECT places FROM room)
ON CONFLICT ON CONSTRAINT generation_runs_one_per_pair DO NOTHING
RETURNING run_id
