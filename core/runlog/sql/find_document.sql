-- A project's document with its entity tag, whatever projects is; the text is left out where $2 is that tag. $1 project id, in whatever type
-- the column has; $2 the tag the caller knows. OFFSET 0: text and tag are made once, not wherever they are named.
SELECT tag, CASE WHEN tag <> $2::text THEN text END AS text
FROM (
  SELECT md5(text) AS tag, text
  FROM (SELECT spec_json::text AS text FROM projects WHERE id = $1 AND spec_json IS NOT NULL OFFSET 0) AS written OFFSET 0
) AS document
