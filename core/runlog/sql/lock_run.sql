-- What a run's document is folded from, besides its events; it gets no further ones until the transaction ends. $1 run_id.
SELECT project_id, request, owner_email, events_pruned_at IS NOT NULL AS is_pruned,
       EXISTS (
         SELECT FROM generation_runs later WHERE later.project_id = mine.project_id AND later.start_order > mine.start_order
       ) AS is_superseded
FROM generation_runs mine
WHERE run_id = $1::uuid
FOR NO KEY UPDATE
