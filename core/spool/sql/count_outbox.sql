-- How many steps PostgreSQL has neither confirmed nor refused.
SELECT count(*) FROM outbox WHERE slot >= 0
