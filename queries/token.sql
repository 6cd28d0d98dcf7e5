-- name: CreateToken :exec
INSERT INTO tokens (token_id, user_id, parent_id, rotated_from, description, token_hash, scopes, wallet_ids, lifetime, created_at, expires_at, expiring_at, imported, signing_key, policy, policy_id)
VALUES (@token_id, @user_id, @parent_id, @rotated_from, @description, @token_hash, @scopes, @wallet_ids, @lifetime, @created_at, @expires_at, @expiring_at, @imported, @signing_key, @policy, @policy_id);

-- name: TokenAndUser :one
SELECT sqlc.embed(t), u.name AS user_name, u.is_admin, u.disabled_at
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE t.token_id = @token_id;

-- Returns the row and locks it until the transaction ends, on both databases.
-- name: HoldToken :one
UPDATE tokens SET expires_at = expires_at WHERE token_id = @token_id RETURNING *;

-- name: TokenOfUser :one
SELECT * FROM tokens WHERE token_id = @token_id AND user_id = @user_id;

-- name: ListTokensOfUser :many
SELECT * FROM tokens
WHERE user_id = @user_id
  AND (created_at > @after_time OR (created_at = @after_time AND token_id > @after_id))
ORDER BY created_at, token_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListTokens :many
SELECT sqlc.embed(t), u.name AS user_name
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE u.name_folded = @name_folded OR CAST(@every_user AS BOOLEAN)
ORDER BY u.name_folded, t.created_at, t.token_id;

-- name: OwnerOfToken :one
SELECT user_id FROM tokens WHERE token_id = @token_id;

-- name: DeleteToken :exec
DELETE FROM tokens WHERE token_id = @token_id AND user_id = @user_id;

-- name: DeleteTokensOfUser :exec
DELETE FROM tokens WHERE user_id = @user_id;

-- name: RetireToken :exec
UPDATE tokens SET
  description = @description,
  expires_at = @expires_at,
  expiring_at = CASE WHEN expires_at = @expires_at THEN expiring_at ELSE CAST(@expiring_at AS BIGINT) END
WHERE token_id = @token_id;

-- name: CapTokenExpiry :exec
UPDATE tokens SET expires_at = @expires_at, expiring_at = @expiring_at
WHERE token_id = @token_id AND expires_at > @expires_at;

-- When the next event token.expiring is due; 0 if none will be.
-- name: NextExpiring :one
SELECT CAST(coalesce(min(expiring_at), 0) AS BIGINT) AS expiring_at FROM tokens WHERE expiring_at IS NOT NULL;

-- name: ExpiringTokens :many
SELECT token_id, user_id, description, expires_at FROM tokens
WHERE expiring_at <= @now
ORDER BY expiring_at, token_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: StopExpiring :exec
UPDATE tokens SET expiring_at = NULL
WHERE token_id IN (SELECT value FROM json_each(CAST(@token_ids AS TEXT)));

-- A token, its descendants and, with with_successors, the tokens that these were rotated
-- to by tokens, and their descendants. The token itself may no longer exist.
-- name: FamilyOfToken :many
WITH RECURSIVE steps (from_id, to_id) AS (
  SELECT t.parent_id, t.token_id FROM tokens AS t WHERE t.user_id = @user_id AND t.parent_id IS NOT NULL
  UNION ALL
  SELECT r.predecessor_id, r.successor_id FROM rotations AS r WHERE r.user_id = @user_id AND CAST(@with_successors AS BOOLEAN)
), family (id) AS (
  SELECT CAST(@token_id AS TEXT)
  UNION
  SELECT steps.to_id FROM steps JOIN family ON steps.from_id = family.id
)
SELECT t.token_id, t.description
FROM tokens AS t JOIN family ON family.id = t.token_id
WHERE t.user_id = @user_id
ORDER BY t.created_at, t.token_id;

-- Those of the tokens that are valid.
-- name: ValidTokensAmong :many
SELECT t.token_id FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE t.token_id IN (SELECT value FROM json_each(CAST(@token_ids AS TEXT)))
  AND t.expires_at > @now AND u.disabled_at IS NULL;

-- The predecessors of a token, by rotations that tokens made.
-- name: PredecessorsOfToken :many
WITH RECURSIVE line (id) AS (
  SELECT r.predecessor_id FROM rotations AS r WHERE r.user_id = @user_id AND r.successor_id = @token_id
  UNION
  SELECT r.predecessor_id FROM rotations AS r JOIN line ON r.successor_id = line.id
)
SELECT CAST(line.id AS TEXT) AS token_id FROM line;

-- name: AddRotation :exec
INSERT INTO rotations (successor_id, predecessor_id, user_id)
VALUES (@successor_id, @predecessor_id, @user_id);

-- name: TakeRotations :many
DELETE FROM rotations WHERE user_id = @user_id AND predecessor_id = @predecessor_id
RETURNING *;

-- name: OwnerOfRotations :one
SELECT user_id FROM rotations WHERE predecessor_id = @token_id LIMIT 1;

-- name: AncestorsOfToken :many
WITH RECURSIVE family (id, distance) AS (
  SELECT child.parent_id, 1 FROM tokens AS child WHERE child.token_id = @token_id AND child.parent_id IS NOT NULL
  UNION
  SELECT parent.parent_id, family.distance + 1
  FROM tokens AS parent JOIN family ON parent.token_id = family.id
  WHERE parent.parent_id IS NOT NULL
)
SELECT CAST(family.id AS TEXT) AS token_id FROM family ORDER BY family.distance;

-- name: RecordTokenUse :exec
UPDATE tokens SET
  last_used_at = @last_used_at,
  last_used_address = @last_used_address,
  last_used_agent = @last_used_agent
WHERE token_id = @token_id;
