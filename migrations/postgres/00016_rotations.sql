-- +goose Up

-- Which token took the place of which, where a token did that and no password. A row
-- stays when the tokens are deleted: who deletes a token that was stolen also ends what
-- it was rotated to, and for that has to find it when tokens in between are gone.
CREATE TABLE rotations (
  successor_id   TEXT NOT NULL PRIMARY KEY,
  predecessor_id TEXT NOT NULL,
  user_id        TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE
);
CREATE INDEX rotations_by_predecessor ON rotations (predecessor_id);
CREATE INDEX rotations_by_user ON rotations (user_id);

INSERT INTO rotations (successor_id, predecessor_id, user_id)
SELECT substr(detail, 11), target, user_id
FROM audit
WHERE action = 'token.rotate' AND outcome = 'ok' AND token_id <> '' AND detail LIKE 'successor %' AND user_id IN (SELECT user_id FROM users)
ON CONFLICT DO NOTHING;

-- The foreign key takes the descendants along, and this what a token was rotated to.
-- +goose StatementBegin
CREATE FUNCTION delete_successors() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM tokens WHERE token_id IN (
    WITH RECURSIVE line (token_id) AS (
      SELECT OLD.token_id
      UNION
      SELECT r.successor_id FROM rotations AS r JOIN line ON r.predecessor_id = line.token_id
    )
    SELECT token_id FROM line
  );
  RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER tokens_take_successors_along AFTER DELETE ON tokens
FOR EACH ROW EXECUTE FUNCTION delete_successors();

-- Imported tokens, and what they were rotated to, keep what Specter Desktop's API
-- could do, as far as they have it.
WITH RECURSIVE line (token_id) AS (
  SELECT id FROM imports WHERE kind = 'token'
  UNION
  SELECT substr(a.detail, 11) FROM audit AS a JOIN line ON a.target = line.token_id WHERE a.action = 'token.rotate' AND a.detail LIKE 'successor %'
)
UPDATE tokens SET scopes = trim(
  CASE WHEN ' ' || scopes || ' ' LIKE '% node:read %' THEN 'node:read ' ELSE '' END ||
  CASE WHEN ' ' || scopes || ' ' LIKE '% wallets:read %' THEN 'wallets:read ' ELSE '' END ||
  CASE WHEN ' ' || scopes || ' ' LIKE '% psbts:read %' THEN 'psbts:read ' ELSE '' END ||
  CASE WHEN ' ' || scopes || ' ' LIKE '% psbts:create %' THEN 'psbts:create' ELSE '' END)
WHERE imported OR token_id IN (SELECT token_id FROM line);

-- +goose Down
DROP TRIGGER tokens_take_successors_along ON tokens;
DROP FUNCTION delete_successors();
DROP TABLE rotations;
