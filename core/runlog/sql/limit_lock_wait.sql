-- From now on nothing waits longer for a lock. $1 how long, with its unit, $2 whether only until the end of the transaction.
SELECT set_config('lock_timeout', $1, $2::boolean)
