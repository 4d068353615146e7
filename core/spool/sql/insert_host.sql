-- ?1 spool id.
INSERT INTO host (spool_id) VALUES (?1)
