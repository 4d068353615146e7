-- A project's document with its entity tag; the text is left out where $2 is that tag. $1 project id, in whatever type the column has;
-- $2 the tag the caller knows.
WITH document AS (
  SELECT spec_json::text AS text FROM projects WHERE id = $1 AND spec_json IS NOT NULL
)
SELECT md5(text) AS tag, CASE WHEN md5(text) <> $2::text THEN text END AS text FROM document
