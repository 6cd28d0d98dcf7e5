-- name: CreateUser :exec
INSERT INTO users (user_id, name, name_folded, password_hash, password_is_default, is_admin, disabled_at, created_at)
VALUES (@user_id, @name, @name_folded, @password_hash, @password_is_default, @is_admin, @disabled_at, @created_at);

-- name: UserByName :one
SELECT * FROM users WHERE name_folded = @name_folded;

-- name: UserByID :one
SELECT * FROM users WHERE user_id = @user_id;

-- name: ListUsers :many
SELECT * FROM users
WHERE name_folded > @after
ORDER BY name_folded
LIMIT CAST(@max_rows AS BIGINT);

-- name: HasUsers :one
SELECT CAST(EXISTS (SELECT 1 FROM users) AS BOOLEAN) AS has_users;

-- name: CountOtherActiveAdmins :one
SELECT count(*) FROM users
WHERE is_admin AND disabled_at IS NULL AND user_id <> @user_id;

-- name: ActiveAdmins :many
SELECT user_id FROM users WHERE is_admin AND disabled_at IS NULL ORDER BY name_folded;

-- name: UpdateUser :exec
UPDATE users SET
  password_hash = @password_hash,
  password_is_default = @password_is_default,
  is_admin = @is_admin,
  disabled_at = @disabled_at,
  quotas = @quotas
WHERE user_id = @user_id;

-- Reverts the effect of UpdateUser's trigger, in the same transaction.
-- name: SetAccessVersion :exec
UPDATE users SET access_version = @access_version WHERE user_id = @user_id;

-- Returns the row and locks it until the transaction ends, on both databases.
-- name: HoldUser :one
UPDATE users SET access_version = access_version WHERE user_id = @user_id RETURNING *;

-- name: DeleteUser :exec
DELETE FROM users WHERE user_id = @user_id;

-- name: UserIsActive :one
SELECT CAST(disabled_at IS NULL AS BOOLEAN) AS active FROM users WHERE user_id = @user_id;

-- name: CountDefaultPasswords :one
SELECT count(*) FROM users WHERE password_is_default AND disabled_at IS NULL;
