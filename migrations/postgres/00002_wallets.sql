-- Two kinds of tables. What people decided: wallets, members, keys, devices,
-- labels, frozen. And the index, a copy of what Bitcoin Core knows, which can be
-- made anew from it: addresses.used, transactions, outputs, inputs, locked.
-- Amounts are satoshis, times microseconds since 1970-01-01T00:00:00Z.

-- +goose Up

-- What SQLite has built in, for lists of strings: the items of a JSON array and
-- their positions from 0 on.
CREATE FUNCTION json_each(list TEXT) RETURNS TABLE (key BIGINT, value TEXT)
LANGUAGE sql IMMUTABLE ROWS 100
AS 'SELECT item.ordinality - 1, item.value FROM json_array_elements_text(list::json) WITH ORDINALITY AS item';

-- Until now no wallet could be made, so these two are empty.
DROP TABLE members;
DROP TABLE wallets;

CREATE TABLE wallets (
  wallet_id             TEXT    NOT NULL PRIMARY KEY,
  name                  TEXT    NOT NULL,
  stage                 TEXT    NOT NULL CHECK (stage IN ('creating', 'ready', 'removing')),
  -- Whether the files of Core's wallet go, too, once it is removed.
  delete_files          BOOLEAN NOT NULL DEFAULT FALSE,
  core_name             TEXT    NOT NULL UNIQUE,
  script                TEXT    NOT NULL CHECK (script IN ('pkh', 'wpkh', 'sh-wpkh', 'tr', 'sh', 'wsh', 'sh-wsh')),
  required              BIGINT  NOT NULL,
  receive_descriptor    TEXT    NOT NULL,
  change_descriptor     TEXT    NOT NULL,
  birth_height          BIGINT  NOT NULL,
  created_at            BIGINT  NOT NULL,
  -- Addresses with lower indexes are in the table addresses and known to Core.
  range_end             BIGINT  NOT NULL DEFAULT 0,
  -- The first indexes that were neither handed out nor used.
  receive_next          BIGINT  NOT NULL DEFAULT 0,
  change_next           BIGINT  NOT NULL DEFAULT 0,
  -- The height from which Core has to look through the chain again, while it has to.
  scan_from             BIGINT,
  scan_progress         DOUBLE PRECISION NOT NULL DEFAULT 0,
  -- The block up to which the index is equal to the node; -1 before the first.
  synced_height         BIGINT  NOT NULL DEFAULT -1,
  synced_hash           TEXT    NOT NULL DEFAULT '',
  core_txcount          BIGINT  NOT NULL DEFAULT -1,
  -- What Core's getwalletinfo said then, as JSON; empty before the first.
  core_info             TEXT    NOT NULL DEFAULT '',
  trusted_sat           BIGINT  NOT NULL DEFAULT 0,
  untrusted_pending_sat BIGINT  NOT NULL DEFAULT 0,
  immature_sat          BIGINT  NOT NULL DEFAULT 0,
  confirmed_sat         BIGINT  NOT NULL DEFAULT 0,
  -- What keeps the index from following the node, for people; empty for nothing.
  problem               TEXT    NOT NULL DEFAULT ''
);

-- Who may do what with a wallet. The alias is the member's own name for it.
CREATE TABLE members (
  wallet_id  TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id    TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  role       TEXT    NOT NULL CHECK (role IN ('viewer', 'proposer', 'signer', 'owner')),
  alias      TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, user_id),
  UNIQUE (user_id, alias)
);

-- What signs, as Specter Desktop has it.
CREATE TABLE devices (
  device_id  TEXT    NOT NULL PRIMARY KEY,
  user_id    TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  alias      TEXT    NOT NULL,
  name       TEXT    NOT NULL,
  type       TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  UNIQUE (user_id, alias)
);

CREATE TABLE device_keys (
  device_id   TEXT NOT NULL REFERENCES devices (device_id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  derivation  TEXT NOT NULL,
  xpub        TEXT NOT NULL,
  original    TEXT NOT NULL,
  type        TEXT NOT NULL,
  purpose     TEXT NOT NULL,
  PRIMARY KEY (device_id, derivation, xpub)
);

CREATE TABLE wallet_keys (
  wallet_id   TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  position    BIGINT  NOT NULL,
  fingerprint TEXT    NOT NULL,
  derivation  TEXT    NOT NULL,
  xpub        TEXT    NOT NULL,
  original    TEXT    NOT NULL,
  type        TEXT    NOT NULL,
  purpose     TEXT    NOT NULL,
  device_id   TEXT    REFERENCES devices (device_id) ON DELETE SET NULL,
  PRIMARY KEY (wallet_id, position)
);

CREATE TABLE addresses (
  wallet_id     TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  branch        BIGINT  NOT NULL CHECK (branch IN (0, 1)), -- 0 receive, 1 change
  address_index BIGINT  NOT NULL,
  address       TEXT    NOT NULL,
  used          BOOLEAN NOT NULL DEFAULT FALSE,
  PRIMARY KEY (wallet_id, branch, address_index)
);
CREATE INDEX addresses_by_address ON addresses (address, wallet_id);

CREATE TABLE transactions (
  wallet_id      TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid           TEXT    NOT NULL,
  time           BIGINT  NOT NULL, -- as Core's wallet has it; never changes
  status         TEXT    NOT NULL CHECK (status IN ('confirmed', 'mempool', 'inactive', 'replaced', 'conflicted', 'abandoned')),
  block_height   BIGINT, -- where confirmed; where conflicted, of the block that the conflicting one is in
  block_hash     TEXT    NOT NULL DEFAULT '',
  block_time     BIGINT,
  category       TEXT    NOT NULL CHECK (category IN ('generate', 'receive', 'send', 'selftransfer', 'mixed')),
  flow_sat       BIGINT  NOT NULL, -- into the wallet; what left it, with the fee, is negative
  fee_sat        BIGINT,          -- where all inputs are the wallet's
  vsize          BIGINT  NOT NULL,
  replaceable    TEXT    NOT NULL CHECK (replaceable IN ('yes', 'no', 'unknown')),
  trusted        BOOLEAN NOT NULL,
  -- The one address that stands for the transaction in a list.
  address        TEXT    NOT NULL,
  branch         BIGINT,
  address_index  BIGINT,
  conflicts      TEXT    NOT NULL DEFAULT '', -- txids, separated by spaces
  received_at    BIGINT  NOT NULL,
  raw            BYTEA   NOT NULL,
  PRIMARY KEY (wallet_id, txid)
);
CREATE INDEX transactions_by_time ON transactions (wallet_id, time, txid);
CREATE INDEX transactions_unsettled ON transactions (wallet_id, time, txid) WHERE status <> 'confirmed';

-- Outputs of a wallet's transactions: those that are the wallet's, which have a
-- branch; and of transactions that spend from it, all.
CREATE TABLE outputs (
  wallet_id     TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid          TEXT    NOT NULL,
  vout          BIGINT  NOT NULL,
  address       TEXT    NOT NULL, -- empty where the script has none
  amount_sat    BIGINT  NOT NULL,
  branch        BIGINT,
  address_index BIGINT,
  spent_by      TEXT, -- the transaction, unless that is dead
  PRIMARY KEY (wallet_id, txid, vout)
);
CREATE INDEX outputs_by_txid ON outputs (txid) WHERE branch IS NOT NULL;

-- Of the wallet's outputs those that can be spent, now or once they are mature,
-- with what their transactions say about that. An unconfirmed coinbase does not exist.
CREATE TABLE unspent (
  wallet_id     TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid          TEXT    NOT NULL,
  vout          BIGINT  NOT NULL,
  address       TEXT    NOT NULL,
  amount_sat    BIGINT  NOT NULL,
  branch        BIGINT  NOT NULL,
  address_index BIGINT  NOT NULL,
  time          BIGINT  NOT NULL,
  status        TEXT    NOT NULL CHECK (status IN ('confirmed', 'mempool')),
  block_height  BIGINT,
  generated     BOOLEAN NOT NULL,
  trusted       BOOLEAN NOT NULL,
  PRIMARY KEY (wallet_id, txid, vout)
);

-- The inputs that spend outputs of the wallet.
CREATE TABLE inputs (
  wallet_id  TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid       TEXT    NOT NULL,
  prev_txid  TEXT    NOT NULL,
  prev_vout  BIGINT  NOT NULL,
  amount_sat BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, txid, prev_txid, prev_vout)
);
CREATE INDEX inputs_by_outpoint ON inputs (wallet_id, prev_txid, prev_vout);

-- Outputs that Core does not spend by itself (lockunspent), for whatever reason.
CREATE TABLE locked (
  wallet_id TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid      TEXT    NOT NULL,
  vout      BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, txid, vout)
);

-- Outputs that people do not want to be spent.
CREATE TABLE frozen (
  wallet_id  TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid       TEXT    NOT NULL,
  vout       BIGINT  NOT NULL,
  created_at BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, txid, vout)
);

-- BIP-329: what is labelled is an address, a txid, an outpoint as txid:vout, or a key.
CREATE TABLE labels (
  wallet_id TEXT NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  type      TEXT NOT NULL CHECK (type IN ('tx', 'addr', 'pubkey', 'input', 'output', 'xpub')),
  ref       TEXT NOT NULL,
  label     TEXT NOT NULL,
  origin    TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (wallet_id, type, ref)
);

-- What a wallet has. Trusted coins can be spent now.
CREATE VIEW coins AS
SELECT
  u.wallet_id,
  u.txid,
  u.vout,
  u.address,
  u.branch,
  u.address_index,
  u.amount_sat,
  u.time,
  u.status,
  u.block_height,
  CASE WHEN u.status <> 'confirmed' THEN 0
       WHEN u.block_height > w.synced_height THEN 1
       ELSE w.synced_height - u.block_height + 1 END AS confirmations,
  (u.generated AND w.synced_height - u.block_height + 1 <= 100) AS immature,
  (u.trusted AND NOT (u.generated AND w.synced_height - u.block_height + 1 <= 100)) AS trusted
FROM unspent AS u
JOIN wallets AS w ON w.wallet_id = u.wallet_id;

-- Transactions with what people call them.
CREATE VIEW history AS
SELECT
  t.wallet_id,
  t.txid,
  t.time,
  t.received_at,
  t.status,
  t.block_height,
  t.block_hash,
  t.block_time,
  t.conflicts,
  t.replaceable,
  t.trusted,
  t.category,
  t.flow_sat,
  t.fee_sat,
  t.vsize,
  t.address,
  t.branch,
  t.address_index,
  w.synced_height,
  coalesce(l.label, '') AS label,
  coalesce(a.label, '') AS address_label,
  t.raw
FROM transactions AS t
JOIN wallets AS w ON w.wallet_id = t.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = t.wallet_id AND l.type = 'tx' AND l.ref = t.txid
LEFT JOIN labels AS a ON a.wallet_id = t.wallet_id AND a.type = 'addr' AND a.ref = t.address;

CREATE VIEW v_wallets AS
SELECT
  w.wallet_id,
  w.name,
  (SELECT string_agg(o.member, ', ') FROM (
    SELECT u.name || ' (' || m.role || ')' AS member
    FROM members AS m JOIN users AS u ON u.user_id = m.user_id
    WHERE m.wallet_id = w.wallet_id ORDER BY u.name_folded
  ) AS o) AS members,
  CASE WHEN w.stage = 'ready' AND w.scan_from IS NOT NULL THEN 'scanning' ELSE w.stage END AS status,
  w.problem,
  w.script,
  w.required,
  (SELECT count(*) FROM wallet_keys AS k WHERE k.wallet_id = w.wallet_id) AS keys,
  w.trusted_sat,
  w.untrusted_pending_sat,
  w.immature_sat,
  w.confirmed_sat,
  (SELECT count(*) FROM transactions AS t WHERE t.wallet_id = w.wallet_id) AS transactions,
  w.synced_height,
  w.synced_hash,
  w.core_name,
  to_char(to_timestamp(w.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at
FROM wallets AS w;

CREATE VIEW v_transactions AS
SELECT
  t.wallet_id,
  w.name AS wallet_name,
  t.txid,
  to_char(to_timestamp(t.time / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS time,
  t.category,
  t.status,
  CASE WHEN t.status <> 'confirmed' THEN 0
       WHEN t.block_height > w.synced_height THEN 1
       ELSE w.synced_height - t.block_height + 1 END AS confirmations,
  t.flow_sat,
  t.fee_sat,
  t.vsize,
  t.address,
  coalesce(a.label, '') AS address_label,
  coalesce(l.label, '') AS label,
  t.block_height,
  t.block_hash,
  to_char(to_timestamp(t.block_time / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS block_time
FROM transactions AS t
JOIN wallets AS w ON w.wallet_id = t.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = t.wallet_id AND l.type = 'tx' AND l.ref = t.txid
LEFT JOIN labels AS a ON a.wallet_id = t.wallet_id AND a.type = 'addr' AND a.ref = t.address;

-- +goose Down
DROP VIEW v_transactions;
DROP VIEW v_wallets;
DROP VIEW history;
DROP VIEW coins;
DROP TABLE labels;
DROP TABLE frozen;
DROP TABLE locked;
DROP TABLE inputs;
DROP TABLE unspent;
DROP TABLE outputs;
DROP TABLE transactions;
DROP TABLE addresses;
DROP TABLE wallet_keys;
DROP TABLE device_keys;
DROP TABLE devices;
DROP TABLE members;
DROP TABLE wallets;
DROP FUNCTION json_each(TEXT);
CREATE TABLE wallets (
  wallet_id  TEXT    NOT NULL PRIMARY KEY,
  name       TEXT    NOT NULL,
  created_at BIGINT  NOT NULL
);
CREATE TABLE members (
  wallet_id  TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id    TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  role       TEXT    NOT NULL CHECK (role IN ('viewer', 'proposer', 'signer', 'owner')),
  alias      TEXT    NOT NULL,
  created_at BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, user_id),
  UNIQUE (user_id, alias)
);
