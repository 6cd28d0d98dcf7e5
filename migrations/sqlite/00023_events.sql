-- +goose Up

-- Transactions that were imported since the last event wallet.synced, without events of
-- their own; NULL if no such event is due.
ALTER TABLE wallets ADD COLUMN imported INTEGER;

-- The number of confirmations from which on a transaction is final.
ALTER TABLE wallets ADD COLUMN final_after INTEGER NOT NULL DEFAULT 6 CHECK (final_after BETWEEN 1 AND 1000);

-- The number of a wallet's last event. Every event of a wallet gets the next number, in the
-- transaction that inserts it, so that there are no gaps. This is not a column of wallets:
-- transactions with events would then conflict with those that write the wallet's row.
CREATE TABLE event_numbers (
  wallet_id TEXT PRIMARY KEY REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  last      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What happened to wallets and to tokens, in the order of commits. Rows are never updated.
-- An event has a wallet_id and a number n in that wallet, or else the user_id of the one
-- user whom it concerns.
CREATE TABLE events (
  seq         INTEGER PRIMARY KEY AUTOINCREMENT,
  wallet_id   TEXT REFERENCES event_numbers (wallet_id) ON DELETE CASCADE,
  n           INTEGER,
  user_id     TEXT, -- a foreign key would lock the user's row; see the trigger
  kind        TEXT NOT NULL,
  at          INTEGER NOT NULL,
  subject     TEXT NOT NULL, -- the id of the transaction, proposal, token or other object
  data        TEXT NOT NULL, -- JSON
  actor_id    TEXT NOT NULL DEFAULT '', -- the id of the user who caused it; empty for the chain, the clock and the command line
  actor_user  TEXT NOT NULL, -- the name of the user, or of the account of the command line
  actor_token TEXT NOT NULL,
  CHECK ((wallet_id IS NULL) = (n IS NULL) AND (wallet_id IS NULL) <> (user_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX events_by_number ON events (wallet_id, n) WHERE wallet_id IS NOT NULL;
CREATE INDEX events_by_wallet ON events (wallet_id, seq) WHERE wallet_id IS NOT NULL;
CREATE INDEX events_by_user ON events (user_id, seq) WHERE user_id IS NOT NULL;

-- On PostgreSQL, a foreign key would cause deadlocks.
-- +goose StatementBegin
CREATE TRIGGER users_take_events_along AFTER DELETE ON users
BEGIN
  DELETE FROM events WHERE user_id = OLD.user_id;
END;
-- +goose StatementEnd

-- Confirmed transactions that will be final when more blocks have followed theirs.
CREATE TABLE awaiting_final (
  wallet_id    TEXT NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid         TEXT NOT NULL,
  block_height INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, txid)
) STRICT, WITHOUT ROWID;

INSERT INTO event_numbers (wallet_id, last)
SELECT w.wallet_id, 1 FROM wallets AS w WHERE w.stage = 'ready' AND w.synced_height >= 0;
INSERT INTO events (wallet_id, n, kind, at, subject, data, actor_user, actor_token)
SELECT w.wallet_id, 1, 'wallet.synced', CAST(strftime('%s', 'now') AS INTEGER) * 1000000, w.wallet_id,
  '{"wallet_id":"' || w.wallet_id || '","n":1,"height":' || CAST(w.synced_height AS TEXT) || ',"hash":"' || w.synced_hash || '","imported":'
    || CAST((SELECT count(*) FROM transactions AS t WHERE t.wallet_id = w.wallet_id) AS TEXT) || '}', '', ''
FROM wallets AS w WHERE w.stage = 'ready' AND w.synced_height >= 0 ORDER BY w.wallet_id;
INSERT INTO awaiting_final (wallet_id, txid, block_height)
SELECT t.wallet_id, t.txid, t.block_height
FROM transactions AS t JOIN wallets AS w ON w.wallet_id = t.wallet_id
WHERE w.stage = 'ready' AND t.status = 'confirmed' AND t.block_height > w.synced_height - 5;

CREATE VIEW v_events AS
SELECT
  e.seq,
  e.wallet_id,
  w.name AS wallet_name,
  e.n,
  u.name AS user_name,
  e.kind,
  strftime('%Y-%m-%dT%H:%M:%SZ', e.at / 1000000, 'unixepoch') AS at,
  e.subject,
  e.data,
  e.actor_user,
  e.actor_token
FROM events AS e
LEFT JOIN wallets AS w ON w.wallet_id = e.wallet_id
LEFT JOIN users AS u ON u.user_id = e.user_id;

-- +goose Down
DROP VIEW v_events;
DROP TABLE awaiting_final;
DROP TRIGGER users_take_events_along;
DROP TABLE events;
DROP TABLE event_numbers;
ALTER TABLE wallets DROP COLUMN final_after;
ALTER TABLE wallets DROP COLUMN imported;
