-- One host migrates at a time: held until the end of the transaction. The number is arbitrary and ours.
SELECT pg_advisory_xact_lock(4715800218)
