-- For databases whose generation_schema is older than this column.
ALTER TABLE generation_schema ADD COLUMN IF NOT EXISTS compatible_from integer NOT NULL DEFAULT 1
