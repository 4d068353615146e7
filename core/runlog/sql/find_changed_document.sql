-- A project's document with its entity tag and the version of its row, where projects is a plain table. Where the row still has the version
-- that the caller has read before, tag and text are left out: making them is most of the work. The text is left out as well where the tag
-- is the one that the caller's client knows. $1 project id, in whatever type the column has; $2 the version, $3 the tag.
-- OFFSET 0 keeps the planner from putting the text's expression wherever the text is named: it is made once.
SELECT version, tag, CASE WHEN tag <> $3::text THEN text END AS text
FROM (SELECT xmin::text || ctid::text AS version, spec_json FROM projects WHERE id = $1 AND spec_json IS NOT NULL OFFSET 0) AS stored
LEFT JOIN LATERAL (
  SELECT md5(text) AS tag, text FROM (SELECT spec_json::text AS text WHERE version <> $2::text OFFSET 0) AS written OFFSET 0
) AS document ON true
