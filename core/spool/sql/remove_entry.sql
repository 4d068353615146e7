-- ?1 sequence.
DELETE FROM outbox WHERE sequence = ?1
