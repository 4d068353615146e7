-- Confirmed events, for replay, the lowest sequence evicted first. Times are ms since 1970; committed_at 0: not known. Since version 2.
CREATE TABLE events (
  sequence     INTEGER PRIMARY KEY,
  run_id       TEXT    NOT NULL,
  event_id     INTEGER NOT NULL,
  type         TEXT    NOT NULL,
  data         TEXT    NOT NULL,
  committed_at INTEGER NOT NULL,
  crc          INTEGER NOT NULL,
  stored_at    INTEGER NOT NULL,
  UNIQUE (run_id, event_id)
)
