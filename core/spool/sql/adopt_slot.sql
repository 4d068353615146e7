-- ?1 the slot that takes the entries, ?2 the one whose holder is gone.
UPDATE outbox SET slot = ?1 WHERE slot = ?2
