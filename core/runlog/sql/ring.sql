-- Rings a doorbell. Nothing of value is in this transaction, so its commit does not wait for the disk; the setting ends with it and
-- stays with no session, which a pooler may share. $1 channel, $2 payload (below 8,000 bytes).
SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)
