-- Rings a doorbell. $1 channel, $2 payload (below 8,000 bytes).
SELECT pg_notify($1, $2)
