-- name: CreateSession :exec
INSERT INTO sessions (session_id, secret_hash, user_id, access_version, created_at, last_seen_at, proved_at, address, agent)
VALUES (@session_id, @secret_hash, @user_id, @access_version, @created_at, @last_seen_at, @proved_at, @address, @agent);

-- Deletes the oldest sessions of a user, except the new one and the given number of others.
-- name: DeleteOldSessions :exec
DELETE FROM sessions AS s
WHERE s.user_id = @user_id AND s.session_id <> @new_id AND s.session_id NOT IN (
  SELECT kept.session_id FROM sessions AS kept
  WHERE kept.user_id = @user_id AND kept.session_id <> @new_id
  ORDER BY kept.created_at DESC, kept.session_id
  LIMIT CAST(@max_others AS BIGINT)
);

-- name: SessionBySecret :one
SELECT sqlc.embed(s), sqlc.embed(u)
FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id
WHERE s.secret_hash = @secret_hash;

-- name: SessionByID :one
SELECT sqlc.embed(s), sqlc.embed(u)
FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id
WHERE s.session_id = @session_id;

-- Returns the row and locks it until the transaction ends, on both databases.
-- name: HoldSession :one
UPDATE sessions SET proved_at = proved_at WHERE session_id = @session_id RETURNING *;

-- Records a request, unless another one was recorded since the row was read. If the clock
-- was set back, shift moves the other times with it.
-- name: TouchSession :exec
UPDATE sessions SET
  created_at = created_at - CAST(@shift AS BIGINT),
  proved_at = proved_at - CAST(@shift AS BIGINT),
  last_seen_at = @now,
  address = @address,
  agent = @agent
WHERE session_id = @session_id AND last_seen_at = @before;

-- name: ProveSession :execrows
UPDATE sessions SET
  secret_hash = @new_hash,
  created_at = created_at - CAST(@shift AS BIGINT),
  proved_at = @now,
  last_seen_at = @now,
  address = @address,
  agent = @agent
WHERE session_id = @session_id AND secret_hash = @old_hash;

-- Keeps a session when its own user changes the password, in the same transaction.
-- name: KeepSession :execrows
UPDATE sessions SET secret_hash = @new_hash, access_version = @access_version
WHERE session_id = @session_id AND user_id = @user_id;

-- name: SessionsOfUser :many
SELECT sqlc.embed(s), sqlc.embed(u)
FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id
WHERE s.user_id = @user_id OR CAST(@every_user AS BOOLEAN)
ORDER BY s.created_at DESC, s.session_id;

-- name: DeleteSession :execrows
DELETE FROM sessions WHERE session_id = @session_id AND user_id = @user_id;

-- name: DeleteSessionsOfUser :exec
DELETE FROM sessions WHERE user_id = @user_id;

-- name: DeleteOtherSessions :execrows
DELETE FROM sessions WHERE user_id = @user_id AND session_id <> @kept_id;

-- name: DeleteEndedSessions :exec
DELETE FROM sessions AS s
WHERE s.last_seen_at <= @seen_until OR s.created_at <= @created_until
   OR s.access_version <> (SELECT u.access_version FROM users AS u WHERE u.user_id = s.user_id);
