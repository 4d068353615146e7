-- Where the applied migrations are noted.
CREATE TABLE IF NOT EXISTS generation_schema (
  version    integer     PRIMARY KEY,
  name       text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
