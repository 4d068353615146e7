-- Cancelling a run, and what keeps one owner, one project or one poison run from holding up all others. It only adds: programs
-- that know nothing of it go on working beside those that do.

ALTER TABLE generation_runs
  ADD COLUMN cancel_attempt  integer,                     -- the attempt that is to be cancelled; says nothing about a later one
  ADD COLUMN takeover_wait_s integer NOT NULL DEFAULT 0;  -- after its lease's end it waits so long for its next worker

-- The lanes of the queue: where an owner's or a project's runs must wait, they are passed over in one step.
CREATE INDEX generation_runs_lanes ON generation_runs (owner_email, project_id, start_order) WHERE state = 'queued';
