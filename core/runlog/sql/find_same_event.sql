-- Was this very event written before? $1 run_id, $2 event id, $3 type, $4 data.
SELECT 1 AS found FROM generation_events
WHERE run_id = $1::uuid AND id = $2::bigint AND type = $3 AND data::text = $4
