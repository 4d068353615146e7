-- ?1 the slot that takes them, ?2 the first slot that no worker has any more.
UPDATE outbox SET slot = ?1 WHERE slot >= ?2
