-- How many entries were refused before ?1, in seconds since 1970.
SELECT count(*) FROM outbox WHERE slot < 0 AND slot > -?1
