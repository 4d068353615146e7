-- Has a run lost its worker? One row where one has. Asked right before a claim: how long the answer took tells whether leases may have
-- ended only because nobody got an answer.
SELECT 1 AS found FROM generation_runs WHERE state = 'running' AND lease_expires_at < now() LIMIT 1
