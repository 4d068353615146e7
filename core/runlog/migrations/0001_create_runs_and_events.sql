-- The run log: runs, their events, and the calling app's projects where it has no such table yet.

CREATE SEQUENCE generation_start_order;

CREATE TABLE generation_runs (
  run_id            uuid        PRIMARY KEY,
  project_id        text        NOT NULL CHECK (project_id <> ''),
  chat_id           text        NOT NULL CHECK (chat_id <> ''),
  request           json        NOT NULL,                -- without the owner's address
  owner_email       text        NOT NULL,
  state             text        NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'complete', 'error')),
  attempt           integer     NOT NULL DEFAULT 1 CHECK (attempt >= 1),
  takes             integer     NOT NULL DEFAULT 0,      -- how often this attempt was taken from the queue or taken over
  next_event_id     bigint      NOT NULL DEFAULT 1 CHECK (next_event_id >= 1),
  start_order       bigint      NOT NULL DEFAULT nextval('generation_start_order'),  -- highest of a project: its current run
  lease_owner       text,
  lease_token       uuid,
  lease_expires_at  timestamptz,
  queued_at         timestamptz NOT NULL DEFAULT now(),
  started_at        timestamptz,
  finished_at       timestamptz,
  events_pruned_at  timestamptz,                         -- set: the events are gone, the stream answers 410
  llm_calls         bigint      NOT NULL DEFAULT 0,      -- these four add up over all attempts
  prompt_tokens     bigint,
  completion_tokens bigint,
  cost_usd          numeric(12, 6),
  error_code        text,
  error_message     text,
  CONSTRAINT generation_runs_one_per_pair UNIQUE (project_id, chat_id),
  CONSTRAINT generation_runs_lease_while_running CHECK (
    (state = 'running') = (lease_token IS NOT NULL)
    AND (lease_token IS NULL) = (lease_owner IS NULL)
    AND (lease_token IS NULL) = (lease_expires_at IS NULL)),
  CONSTRAINT generation_runs_finished_when_ended CHECK ((state IN ('complete', 'error')) = (finished_at IS NOT NULL)),
  CONSTRAINT generation_runs_error_has_code CHECK ((state = 'error') = (error_code IS NOT NULL))
);

CREATE INDEX generation_runs_queue ON generation_runs (start_order) WHERE state = 'queued';
CREATE INDEX generation_runs_leases ON generation_runs (lease_expires_at) WHERE state = 'running';
CREATE INDEX generation_runs_current ON generation_runs (project_id, start_order);

-- data is json, not jsonb: what is replayed is byte for byte what was written.
CREATE TABLE generation_events (
  run_id     uuid        NOT NULL REFERENCES generation_runs,
  id         bigint      NOT NULL CHECK (id >= 1),
  type       text        NOT NULL CHECK (type IN ('run_started', 'plan_completed', 'section_started', 'section_completed',
                                                  'run_completed', 'error')),
  data       json        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, id)
);

CREATE TABLE IF NOT EXISTS projects (
  id         text        PRIMARY KEY,
  spec_json  jsonb,
  updated_at timestamptz NOT NULL DEFAULT now()
);
