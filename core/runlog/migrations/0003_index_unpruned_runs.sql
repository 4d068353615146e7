-- An index for pruning: the ended runs that still have their events, by their end. It only adds. While it is built nothing is written
-- to generation_runs (about a second for a million runs); workers keep what they have to write in their outbox meanwhile.

CREATE INDEX generation_runs_unpruned ON generation_runs (finished_at) WHERE events_pruned_at IS NULL AND finished_at IS NOT NULL;
