-- Whether evict_older would find a row. Parameters as there.
SELECT EXISTS (
  SELECT 1 FROM (SELECT stored_at FROM events ORDER BY sequence LIMIT ?1) WHERE stored_at < ?2 OR stored_at > ?3
)
