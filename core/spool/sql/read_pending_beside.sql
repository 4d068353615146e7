-- The oldest entries of a slot but for those of some runs, and some entries. ?1 slot, ?2 how many, ?3 run ids, ?4 sequences; both as JSON arrays.
SELECT sequence, run_id, token, event_id, type, data, document, ending FROM outbox
WHERE slot = ?1 AND run_id NOT IN (SELECT value FROM json_each(?3)) AND sequence NOT IN (SELECT value FROM json_each(?4))
ORDER BY sequence LIMIT ?2
