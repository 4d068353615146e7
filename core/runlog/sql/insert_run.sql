-- Records a new run; no row where the pair has one already. $1 run_id, $2 project_id, $3 chat_id, $4 request, $5 owner_email.
INSERT INTO generation_runs (run_id, project_id, chat_id, request, owner_email)
VALUES ($1::uuid, $2, $3, $4::json, $5)
ON CONFLICT ON CONSTRAINT generation_runs_one_per_pair DO NOTHING
RETURNING run_id
