-- Steps that PostgreSQL has not confirmed. A slot below 0: it was refused then, in seconds since 1970. Since version 1.
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  slot     INTEGER NOT NULL,
  run_id   TEXT    NOT NULL,
  token    TEXT    NOT NULL,
  event_id INTEGER NOT NULL,
  type     TEXT    NOT NULL,
  data     TEXT    NOT NULL,
  document TEXT    NOT NULL,
  ending   TEXT,
  UNIQUE (run_id, token, event_id)
)
