-- +goose Up

-- Sessions of the web console. Deleting a row ends its session. They are not in backups.
CREATE TABLE sessions (
  session_id     TEXT    NOT NULL PRIMARY KEY,
  secret_hash    BLOB    NOT NULL UNIQUE, -- SHA-256 of the cookie
  user_id        TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  access_version INTEGER NOT NULL, -- of the user when the session was created; it ends when that changes
  created_at     INTEGER NOT NULL,
  last_seen_at   INTEGER NOT NULL, -- of the last request, to the minute
  proved_at      INTEGER NOT NULL, -- when the user last entered the password
  address        TEXT    NOT NULL, -- of the client
  agent          TEXT    NOT NULL
) STRICT;
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_last_seen ON sessions (last_seen_at);

-- As users_take_tokens_along: for shells without foreign keys.
-- +goose StatementBegin
CREATE TRIGGER users_take_sessions_along AFTER DELETE ON users
BEGIN
  DELETE FROM sessions WHERE user_id = OLD.user_id;
END;
-- +goose StatementEnd

-- The limits are the constants of auth/session.go.
CREATE VIEW v_sessions AS
SELECT
  s.session_id,
  u.name AS user_name,
  CASE
    WHEN u.disabled_at IS NOT NULL OR u.access_version <> s.access_version
      OR s.last_seen_at - s.created_at >= 43200000000
      OR s.created_at <= (CAST(strftime('%s', 'now') AS INTEGER) - 43200) * 1000000
      OR s.last_seen_at <= (CAST(strftime('%s', 'now') AS INTEGER) - 1800) * 1000000
    THEN 'ended' ELSE 'active'
  END AS status,
  strftime('%Y-%m-%dT%H:%M:%SZ', s.created_at / 1000000, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', s.last_seen_at / 1000000, 'unixepoch') AS last_seen_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', s.proved_at / 1000000, 'unixepoch') AS proved_at,
  s.address,
  s.agent
FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id;

-- +goose Down
DROP VIEW v_sessions;
DROP TRIGGER users_take_sessions_along;
DROP TABLE sessions;
