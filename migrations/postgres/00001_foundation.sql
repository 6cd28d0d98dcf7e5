-- Times are microseconds since 1970-01-01T00:00:00Z. The views give them as text.

-- +goose Up

-- Facts about this database as a whole: the fingerprint of the key that signs
-- its tokens, the chain it was made for.
CREATE TABLE settings (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE users (
  user_id             TEXT    NOT NULL PRIMARY KEY,
  name                TEXT    NOT NULL,
  name_folded         TEXT    NOT NULL UNIQUE,
  password_hash       TEXT    NOT NULL,
  password_is_default BOOLEAN NOT NULL DEFAULT FALSE,
  is_admin            BOOLEAN NOT NULL DEFAULT FALSE,
  disabled_at         BIGINT,
  created_at          BIGINT  NOT NULL
);

CREATE TABLE wallets (
  wallet_id  TEXT   NOT NULL PRIMARY KEY,
  name       TEXT   NOT NULL,
  created_at BIGINT NOT NULL
);

-- Who may do what with a wallet. The alias is the member's own name for it.
CREATE TABLE members (
  wallet_id  TEXT   NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id    TEXT   NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  role       TEXT   NOT NULL CHECK (role IN ('viewer', 'proposer', 'signer', 'owner')),
  alias      TEXT   NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (wallet_id, user_id),
  UNIQUE (user_id, alias)
);

-- The token itself is never stored, only its SHA-256.
CREATE TABLE tokens (
  token_id          TEXT   NOT NULL PRIMARY KEY,
  user_id           TEXT   NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  parent_id         TEXT   REFERENCES tokens (token_id) ON DELETE CASCADE,
  rotated_from      TEXT,
  description       TEXT   NOT NULL,
  token_hash        BYTEA  NOT NULL UNIQUE,
  scopes            TEXT   NOT NULL,
  wallet_ids        TEXT,
  lifetime          BIGINT NOT NULL,
  created_at        BIGINT NOT NULL,
  expires_at        BIGINT NOT NULL,
  last_used_at      BIGINT,
  last_used_address TEXT   NOT NULL DEFAULT '',
  last_used_agent   TEXT   NOT NULL DEFAULT '',
  UNIQUE (user_id, description)
);
CREATE INDEX tokens_by_user ON tokens (user_id, created_at, token_id);
CREATE INDEX tokens_by_parent ON tokens (parent_id);

-- Who did what, on what, when, and how it ended. Rows are only ever added.
CREATE TABLE audit (
  audit_id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         BIGINT NOT NULL,
  user_id    TEXT   NOT NULL,
  user_name  TEXT   NOT NULL,
  token_id   TEXT   NOT NULL,
  address    TEXT   NOT NULL,
  action     TEXT   NOT NULL,
  target     TEXT   NOT NULL,
  outcome    TEXT   NOT NULL,
  detail     TEXT   NOT NULL
);
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_user ON audit (user_id, at);

CREATE VIEW v_users AS
SELECT
  u.user_id,
  u.name,
  CASE WHEN u.is_admin THEN 'admin' ELSE 'user' END AS role,
  CASE WHEN u.disabled_at IS NULL THEN 'active' ELSE 'disabled' END AS status,
  CASE WHEN u.password_is_default THEN 'yes' ELSE 'no' END AS default_password,
  (SELECT count(*) FROM tokens AS t WHERE t.user_id = u.user_id) AS tokens,
  to_char(to_timestamp(u.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(u.disabled_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS disabled_at
FROM users AS u;

CREATE VIEW v_tokens AS
SELECT
  t.token_id,
  u.name AS user_name,
  t.description,
  CASE WHEN t.expires_at / 1000000 > CAST(extract(epoch FROM now()) AS BIGINT) THEN 'valid' ELSE 'expired' END AS status,
  t.scopes,
  t.wallet_ids,
  t.parent_id,
  t.rotated_from,
  to_char(to_timestamp(t.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(t.expires_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS expires_at,
  to_char(to_timestamp(t.last_used_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_used_at,
  t.last_used_address,
  t.last_used_agent
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id;

-- +goose Down
DROP VIEW v_tokens;
DROP VIEW v_users;
DROP TABLE audit;
DROP TABLE tokens;
DROP TABLE members;
DROP TABLE wallets;
DROP TABLE users;
DROP TABLE settings;
