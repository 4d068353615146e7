-- Has a run lost its worker, and what does the clock say by which that is judged (milliseconds since 1970)? One row. Asked right before a
-- claim: how long the answer took, and whether the clock has jumped, tells whether leases may have ended only because nobody could renew.
SELECT EXISTS (SELECT FROM generation_runs WHERE state = 'running' AND lease_expires_at < now()) AS is_found,
       (extract(epoch FROM now()) * 1000)::bigint AS clock_ms
