-- How many steps PostgreSQL has not confirmed.
SELECT count(*) FROM outbox
