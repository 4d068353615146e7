-- Writes the document of the project's current run; nothing where a later run of the project exists, or where the run's newest event is
-- not the one that the document tells the state after. $1 project id, in whatever type the column has; $2 run_id; $3 the document, in
-- whatever JSON type the column has; $4 lease token; $5 event id.
UPDATE projects
SET spec_json = $3, updated_at = now()
WHERE id = $1
  AND EXISTS (
    SELECT FROM generation_runs mine
    WHERE mine.run_id = $2::uuid AND mine.lease_token = $4::uuid AND mine.next_event_id = $5::bigint + 1
      AND NOT EXISTS (
        SELECT FROM generation_runs later WHERE later.project_id = mine.project_id AND later.start_order > mine.start_order))
