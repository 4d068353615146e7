-- Of the oldest rows those that are too old, by the clock of the time when they were stored; the others are not looked at.
-- ?1 how many, ?2 stored before this (ms since 1970), ?3 or after this: the clock was ahead.
DELETE FROM events WHERE sequence IN (SELECT sequence FROM events ORDER BY sequence LIMIT ?1) AND (stored_at < ?2 OR stored_at > ?3)
