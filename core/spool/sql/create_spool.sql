-- The host's spool, version 1. Run once, when the file is new.
CREATE TABLE host (spool_id TEXT NOT NULL);
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
);
CREATE INDEX outbox_slot ON outbox (slot, sequence);
PRAGMA user_version = 1;
