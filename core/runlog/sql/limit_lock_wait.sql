-- From now on nothing waits longer for a lock, and no statement is ended for another reason before that: a role or a database may have a
-- statement_timeout of its own. $1 how long, with its unit, $2 whether only until the end of the transaction.
SELECT set_config('lock_timeout', $1, $2::boolean), set_config('statement_timeout', '0', $2::boolean)
