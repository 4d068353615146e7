-- $1 project id, in whatever type the column has; $2 the document, in whatever JSON type the column has.
UPDATE projects SET spec_json = $2, updated_at = now() WHERE id = $1
