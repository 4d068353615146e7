-- ?1 sequence, ?2 when, in seconds since 1970.
UPDATE outbox SET slot = -?2 WHERE sequence = ?1
