-- Makes the projects of runs that insert_runs has made. $1, $2, $3 as there; $4 the document.
INSERT INTO projects (id, spec_json)
SELECT 'bench_' || $1 || lpad(to_hex(number), 12, '0'), $4::jsonb
FROM generate_series($2::bigint, $3::bigint) AS number
