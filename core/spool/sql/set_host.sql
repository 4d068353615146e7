-- ?1 spool id that a former file had.
UPDATE host SET spool_id = ?1
