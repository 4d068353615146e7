-- Records a new run where fewer than $6 wait (0: however many). One row: whether there was room, and the run's id, null where there was none
-- or where the pair has a run already. $1 run_id, $2 project_id, $3 chat_id, $4 request, $5 owner_email.
WITH room AS (
  SELECT $6::bigint = 0 OR count(*) < $6::bigint AS is_free
  FROM (SELECT FROM generation_runs WHERE state = 'queued' LIMIT $6::bigint) AS waiting
),
inserted AS (
  INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email)
  SELECT $1::uuid, $2, $3, $4::json, $5 FROM room WHERE is_free
  ON CONFLICT ON CONSTRAINT generation_runs_one_per_pair DO NOTHING
  RETURNING run_id
)
SELECT room.is_free, inserted.run_id FROM room LEFT JOIN inserted ON true
