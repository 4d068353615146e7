-- Notes that a migration has been applied. $1 version, $2 name.
INSERT INTO generation_schema (version, name) VALUES ($1::integer, $2)
