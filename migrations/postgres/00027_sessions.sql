-- +goose Up

-- Sessions of the web console. Deleting a row ends its session. They are not in backups.
CREATE TABLE sessions (
  session_id     TEXT   NOT NULL PRIMARY KEY,
  secret_hash    BYTEA  NOT NULL UNIQUE, -- SHA-256 of the cookie
  user_id        TEXT   NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  access_version BIGINT NOT NULL, -- of the user when the session was created; it ends when that changes
  created_at     BIGINT NOT NULL,
  last_seen_at   BIGINT NOT NULL, -- of the last request, to the minute
  proved_at      BIGINT NOT NULL, -- when the user last entered the password
  address        TEXT   NOT NULL, -- of the client
  agent          TEXT   NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_last_seen ON sessions (last_seen_at);

-- The limits are the constants of auth/session.go.
CREATE VIEW v_sessions AS
SELECT
  s.session_id,
  u.name AS user_name,
  CASE
    WHEN u.disabled_at IS NOT NULL OR u.access_version <> s.access_version
      OR s.last_seen_at - s.created_at >= 43200000000
      OR s.created_at <= (extract(epoch FROM now())::bigint - 43200) * 1000000
      OR s.last_seen_at <= (extract(epoch FROM now())::bigint - 1800) * 1000000
    THEN 'ended' ELSE 'active'
  END AS status,
  to_char(to_timestamp(s.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(s.last_seen_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_seen_at,
  to_char(to_timestamp(s.proved_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS proved_at,
  s.address,
  s.agent
FROM sessions AS s JOIN users AS u ON u.user_id = s.user_id;

-- +goose Down
DROP VIEW v_sessions;
DROP TABLE sessions;
