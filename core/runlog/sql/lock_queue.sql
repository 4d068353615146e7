-- One worker at a time decides who is next, until the end of its transaction: else two that count the same running runs would both add
-- to them. The number is arbitrary and ours.
SELECT pg_advisory_xact_lock(4715800219)
