-- When the row that goes next was stored.
SELECT stored_at FROM events ORDER BY sequence LIMIT 1
