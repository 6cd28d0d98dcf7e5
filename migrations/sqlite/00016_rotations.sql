-- +goose Up

-- Which token took the place of which, where a token did that and no password. A row
-- stays when the tokens are deleted: who deletes a token that was stolen also ends what
-- it was rotated to, and for that has to find it when tokens in between are gone.
CREATE TABLE rotations (
  successor_id   TEXT NOT NULL PRIMARY KEY,
  predecessor_id TEXT NOT NULL,
  user_id        TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE
) STRICT;
CREATE INDEX rotations_by_predecessor ON rotations (predecessor_id);
CREATE INDEX rotations_by_user ON rotations (user_id);

INSERT INTO rotations (successor_id, predecessor_id, user_id)
SELECT substr(detail, 11), target, user_id
FROM audit
WHERE action = 'token.rotate' AND outcome = 'ok' AND token_id <> '' AND detail LIKE 'successor %' AND user_id IN (SELECT user_id FROM users)
ON CONFLICT DO NOTHING;

-- As before, and what they were rotated to besides.
DROP TRIGGER tokens_take_descendants_along;
-- +goose StatementBegin
CREATE TRIGGER tokens_take_family_along AFTER DELETE ON tokens
BEGIN
  DELETE FROM tokens WHERE token_id IN (
    WITH RECURSIVE family (token_id) AS (
      SELECT OLD.token_id
      UNION
      SELECT child.token_id FROM tokens AS child JOIN family ON child.parent_id = family.token_id
      UNION
      SELECT r.successor_id FROM rotations AS r JOIN family ON r.predecessor_id = family.token_id
    )
    SELECT token_id FROM family
  );
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER users_take_rotations_along AFTER DELETE ON users
BEGIN
  DELETE FROM rotations WHERE user_id = OLD.user_id;
END;
-- +goose StatementEnd

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
DROP TRIGGER users_take_rotations_along;
DROP TRIGGER tokens_take_family_along;
DROP TABLE rotations;
-- +goose StatementBegin
CREATE TRIGGER tokens_take_descendants_along AFTER DELETE ON tokens
BEGIN
  DELETE FROM tokens WHERE token_id IN (
    WITH RECURSIVE family (token_id) AS (
      SELECT token_id FROM tokens WHERE parent_id = OLD.token_id
      UNION
      SELECT child.token_id FROM tokens AS child JOIN family ON child.parent_id = family.token_id
    )
    SELECT token_id FROM family
  );
END;
-- +goose StatementEnd
