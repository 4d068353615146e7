-- Has generation_schema the column compatible_from? One row where it has.
SELECT 1 AS found FROM pg_attribute
WHERE attrelid = to_regclass('generation_schema') AND attname = 'compatible_from' AND NOT attisdropped
