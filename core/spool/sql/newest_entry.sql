-- The newest entry of a slot; null where it has none. ?1 slot.
SELECT max(sequence) FROM outbox WHERE slot = ?1
