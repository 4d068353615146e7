-- A new file's sequences lie above those of any file before it, so that one that was read from a former file
-- never means another entry. ?1 microseconds since 1970.
INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?1)
