-- Appends the events of several runs and writes each run's newest document, where the lease and the numbers are right; a run where they are
-- not is left out whole, and so is the document where a later run of the project exists. Returns the runs that were written.
-- A row for each run, sorted by run id: $1 run ids, $2 lease tokens, $3 first event ids, $4 last event ids, $5 project ids, in whatever type
-- the column has, $6 documents, in whatever JSON type the column has. A row for each event: $7 run ids, $8 event ids, $9 types, $10 data.
-- The rows are locked in the order of run ids, as everywhere. Sub-selects around the arrays keep the planner from looking into them: it plans once, not each time. coalesce gives $5 and $6 the
-- column's type.
WITH given AS (
  SELECT *
  FROM unnest(
    (SELECT $1::uuid[]), (SELECT $2::uuid[]), (SELECT $3::bigint[]), (SELECT $4::bigint[]),
    (SELECT coalesce($5, (SELECT array_agg(id) FROM projects WHERE false))),
    (SELECT coalesce($6, (SELECT array_agg(spec_json) FROM projects WHERE false)))
  ) AS run (run_id, lease_token, first_id, last_id, project_id, document)
),
locked AS (
  SELECT given.*
  FROM given JOIN generation_runs mine USING (run_id)
  WHERE mine.lease_token = given.lease_token AND mine.next_event_id = given.first_id
  ORDER BY mine.run_id
  FOR NO KEY UPDATE OF mine
),
fenced AS (
  UPDATE generation_runs mine
  SET next_event_id = locked.last_id + 1
  FROM locked
  WHERE mine.run_id = locked.run_id AND mine.lease_token = locked.lease_token AND mine.next_event_id = locked.first_id
  RETURNING mine.run_id, mine.project_id AS project, mine.start_order, locked.project_id, locked.document
),
appended AS (
  INSERT INTO generation_events (run_id, id, type, data)
  SELECT event.run_id, event.id, event.type, event.data::json
  FROM unnest((SELECT $7::uuid[]), (SELECT $8::bigint[]), (SELECT $9::text[]), (SELECT $10::text[])) AS event (run_id, id, type, data)
  WHERE event.run_id IN (SELECT run_id FROM fenced)
),
replaced AS (
  UPDATE projects
  SET spec_json = fenced.document, updated_at = now()
  FROM fenced
  WHERE projects.id = fenced.project_id
    AND NOT EXISTS (
      SELECT FROM generation_runs later WHERE later.project_id = fenced.project AND later.start_order > fenced.start_order)
)
SELECT run_id FROM fenced
