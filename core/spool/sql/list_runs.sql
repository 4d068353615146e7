-- The runs that events are kept of.
SELECT DISTINCT run_id FROM events
