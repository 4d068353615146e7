-- ?1 before when they were refused, in seconds since 1970.
DELETE FROM outbox WHERE slot < 0 AND slot > -?1
