-- The host's spool id.
SELECT spool_id FROM host
