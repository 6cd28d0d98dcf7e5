-- Times are microseconds since 1970-01-01T00:00:00Z. The views give them as text.

-- +goose Up

-- Facts about this database as a whole: the fingerprint of the key that signs
-- its tokens, the chain it was made for.
CREATE TABLE settings (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE users (
  user_id             TEXT    NOT NULL PRIMARY KEY,
  name                TEXT    NOT NULL,
  name_folded         TEXT    NOT NULL UNIQUE,
  password_hash       TEXT    NOT NULL,
  password_is_default INTEGER NOT NULL DEFAULT FALSE CHECK (password_is_default IN (0, 1)),
  is_admin            INTEGER NOT NULL DEFAULT FALSE CHECK (is_admin IN (0, 1)),
  disabled_at         INTEGER,
  created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE wallets (
  wallet_id  TEXT    NOT NULL PRIMARY KEY,
  name       TEXT    NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

-- Who may do what with a wallet. The alias is the member's own name for it.
CREATE TABLE members (
  wallet_id  TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id    TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  role       TEXT    NOT NULL CHECK (role IN ('viewer', 'proposer', 'signer', 'owner')),
  alias      TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, user_id),
  UNIQUE (user_id, alias)
) STRICT;

-- The token itself is never stored, only its SHA-256.
CREATE TABLE tokens (
  token_id          TEXT    NOT NULL PRIMARY KEY,
  user_id           TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  parent_id         TEXT    REFERENCES tokens (token_id) ON DELETE CASCADE,
  rotated_from      TEXT,
  description       TEXT    NOT NULL,
  token_hash        BLOB    NOT NULL UNIQUE,
  scopes            TEXT    NOT NULL,
  wallet_ids        TEXT,
  lifetime          INTEGER NOT NULL,
  created_at        INTEGER NOT NULL,
  expires_at        INTEGER NOT NULL,
  last_used_at      INTEGER,
  last_used_address TEXT    NOT NULL DEFAULT '',
  last_used_agent   TEXT    NOT NULL DEFAULT '',
  UNIQUE (user_id, description)
) STRICT;
CREATE INDEX tokens_by_user ON tokens (user_id, created_at, token_id);
CREATE INDEX tokens_by_parent ON tokens (parent_id);

-- SQLite's own shell does not enforce foreign keys unless told to, and a
-- trigger does not call itself unless told to. These two make a DELETE typed
-- there take the descendants along all the same.
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
-- +goose StatementBegin
CREATE TRIGGER users_take_tokens_along AFTER DELETE ON users
BEGIN
  DELETE FROM tokens WHERE user_id = OLD.user_id;
  DELETE FROM members WHERE user_id = OLD.user_id;
END;
-- +goose StatementEnd

-- Who did what, on what, when, and how it ended. Rows are only ever added.
CREATE TABLE audit (
  audit_id   INTEGER PRIMARY KEY AUTOINCREMENT,
  at         INTEGER NOT NULL,
  user_id    TEXT    NOT NULL,
  user_name  TEXT    NOT NULL,
  token_id   TEXT    NOT NULL,
  address    TEXT    NOT NULL,
  action     TEXT    NOT NULL,
  target     TEXT    NOT NULL,
  outcome    TEXT    NOT NULL,
  detail     TEXT    NOT NULL
) STRICT;
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
  strftime('%Y-%m-%dT%H:%M:%SZ', u.created_at / 1000000, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', u.disabled_at / 1000000, 'unixepoch') AS disabled_at
FROM users AS u;

CREATE VIEW v_tokens AS
SELECT
  t.token_id,
  u.name AS user_name,
  t.description,
  CASE WHEN t.expires_at / 1000000 > CAST(strftime('%s', 'now') AS INTEGER) THEN 'valid' ELSE 'expired' END AS status,
  t.scopes,
  t.wallet_ids,
  t.parent_id,
  t.rotated_from,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.created_at / 1000000, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.expires_at / 1000000, 'unixepoch') AS expires_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.last_used_at / 1000000, 'unixepoch') AS last_used_at,
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
