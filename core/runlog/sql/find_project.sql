-- Is there such a project? $1 project id, in whatever type the column has.
SELECT 1 AS found FROM projects WHERE id = $1
