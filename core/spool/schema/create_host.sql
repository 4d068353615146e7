-- One row: who this host is among all that share the database. Since version 1.
CREATE TABLE host (spool_id TEXT NOT NULL)
