-- Notes that a migration has been applied. $1 version, $2 name, $3 compatible_from.
INSERT INTO generation_schema (version, name, compatible_from) VALUES ($1::integer, $2, $3::integer)
