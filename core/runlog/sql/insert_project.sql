-- Makes the project's row where the table lets us. $1 project id, in whatever type the column has; $2 the document before any event.
INSERT INTO projects (id, spec_json, updated_at) VALUES ($1, $2, now())
