-- +goose Up

-- What was brought along from elsewhere, once. A row stays when what it was is
-- deleted here, so that no later import brings that back.
CREATE TABLE imports (
  kind       TEXT    NOT NULL CHECK (kind IN ('user', 'token', 'wallet')),
  origin     TEXT    NOT NULL, -- what it is where it comes from
  id         TEXT    NOT NULL, -- what it became here
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, origin)
) STRICT;

-- A token that was made elsewhere: no key here verifies it, its hash decides.
ALTER TABLE tokens ADD COLUMN imported INTEGER NOT NULL DEFAULT FALSE CHECK (imported IN (0, 1));

DROP VIEW v_tokens;
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
  t.last_used_agent,
  CASE WHEN t.imported THEN 'yes' ELSE 'no' END AS imported
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id;

-- +goose Down
DROP VIEW v_tokens;
-- Without the column nothing would say that these need no signature of ours.
DELETE FROM tokens WHERE imported;
ALTER TABLE tokens DROP COLUMN imported;
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
DROP TABLE imports;
