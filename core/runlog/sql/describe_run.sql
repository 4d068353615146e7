-- What whoever knows a run's id may know of it: one JSON object with its entity tag; the text is left out where $2 is that tag. Neither
-- the owner's address nor the request is in it. $1 run_id, $2 the tag the caller knows.
WITH described AS (
  SELECT row_to_json(run)::text AS text
  FROM (
    SELECT r.run_id, r.project_id, r.state, r.attempt,
           r.state = 'running' AND r.cancel_attempt IS NOT DISTINCT FROM r.attempt AS is_being_cancelled,
           r.next_event_id - 1 AS last_event_id,
           r.events_pruned_at IS NULL AS events_replayable,
           to_char(r.queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS queued_at,
           to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS started_at,
           to_char(r.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS finished_at,
           started.model,
           r.llm_calls,
           (SELECT tokens FROM (SELECT r.prompt_tokens AS prompt, r.completion_tokens AS completion) AS tokens) AS tokens,
           r.cost_usd AS cost_est,
           (SELECT error
            FROM (SELECT r.error_code AS code, r.error_message AS message, (newest.data->>'retryable')::boolean AS retryable) AS error
            WHERE r.state = 'error') AS error
    FROM generation_runs r
    LEFT JOIN LATERAL (
      SELECT data->>'model' AS model FROM generation_events
      WHERE run_id = r.run_id AND type = 'run_started' ORDER BY id DESC LIMIT 1
    ) AS started ON true
    LEFT JOIN generation_events newest ON newest.run_id = r.run_id AND newest.id = r.next_event_id - 1
    WHERE r.run_id = $1::uuid
  ) AS run
)
SELECT md5(text) AS tag, CASE WHEN md5(text) <> $2::text THEN text END AS text FROM described
