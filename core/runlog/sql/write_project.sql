-- Writes the document of the project's current run; nothing where a later run of the project exists. $1 project id, in whatever type the
-- column has; $2 run_id; $3 the document, in whatever JSON type the column has.
UPDATE projects
SET spec_json = $3, updated_at = now()
WHERE id = $1
  AND NOT EXISTS (
    SELECT FROM generation_runs mine JOIN generation_runs later
      ON later.project_id = mine.project_id AND later.start_order > mine.start_order
    WHERE mine.run_id = $2::uuid)
