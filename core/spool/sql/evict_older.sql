-- Of the oldest rows those that are too old; the others are not looked at. ?1 how many, ?2 stored before this (ms since 1970).
DELETE FROM events WHERE sequence IN (SELECT sequence FROM events ORDER BY sequence LIMIT ?1) AND stored_at < ?2
