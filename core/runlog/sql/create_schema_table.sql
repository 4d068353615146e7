-- Where the applied migrations are noted. compatible_from: programs that know at least this schema version work with the tables.
CREATE TABLE IF NOT EXISTS generation_schema (
  version         integer     PRIMARY KEY,
  name            text        NOT NULL,
  applied_at      timestamptz NOT NULL DEFAULT now(),
  compatible_from integer     NOT NULL DEFAULT 1
)
