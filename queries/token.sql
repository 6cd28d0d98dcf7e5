-- name: CreateToken :exec
INSERT INTO tokens (token_id, user_id, parent_id, rotated_from, description, token_hash, scopes, wallet_ids, lifetime, created_at, expires_at, imported, signing_key)
VALUES (@token_id, @user_id, @parent_id, @rotated_from, @description, @token_hash, @scopes, @wallet_ids, @lifetime, @created_at, @expires_at, @imported, @signing_key);

-- name: TokenAndUser :one
SELECT sqlc.embed(t), u.name AS user_name, u.is_admin, u.disabled_at
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE t.token_id = @token_id;

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

-- name: DeleteToken :execrows
DELETE FROM tokens WHERE token_id = @token_id AND user_id = @user_id;

-- name: DeleteTokensOfUser :exec
DELETE FROM tokens WHERE user_id = @user_id;

-- name: RetireToken :exec
UPDATE tokens SET description = @description, expires_at = @expires_at
WHERE token_id = @token_id;

-- name: CapTokenExpiry :exec
UPDATE tokens SET expires_at = @expires_at
WHERE token_id = @token_id AND expires_at > @expires_at;

-- name: DescendantsOfToken :many
WITH RECURSIVE family (id) AS (
  SELECT child.token_id FROM tokens AS child WHERE child.parent_id = @token_id
  UNION
  SELECT child.token_id FROM tokens AS child JOIN family ON child.parent_id = family.id
)
SELECT CAST(family.id AS TEXT) AS token_id FROM family;

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
