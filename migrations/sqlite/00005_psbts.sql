-- +goose Up

-- Payments that somebody wants a wallet to make. Amounts are satoshis, fee rates
-- satoshis per 1000 virtual bytes, times microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE psbts (
  psbt_id        TEXT    NOT NULL PRIMARY KEY,
  wallet_id      TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid           TEXT    NOT NULL, -- of the transaction without signatures
  final_txid     TEXT    NOT NULL DEFAULT '', -- of the signed one, once it is known
  status         TEXT    NOT NULL CHECK (status IN ('created', 'partially_signed', 'complete', 'broadcast', 'confirmed',
                   'cancelled', 'expired', 'conflicted', 'replaced')),
  status_at      INTEGER NOT NULL,
  reason         TEXT    NOT NULL DEFAULT '', -- why it ended
  version        INTEGER NOT NULL,
  -- Who made it, also when they are gone.
  user_id        TEXT    NOT NULL,
  user_name      TEXT    NOT NULL,
  token_id       TEXT    NOT NULL,
  created_at     INTEGER NOT NULL,
  expires_at     INTEGER NOT NULL,
  fee_sat        INTEGER NOT NULL,
  excess_fee_sat INTEGER NOT NULL,
  vsize          INTEGER NOT NULL, -- an estimate, until it is signed
  fee_rate       INTEGER NOT NULL,
  target_blocks  INTEGER NOT NULL,
  replaceable    INTEGER NOT NULL CHECK (replaceable IN (0, 1)),
  send_max       INTEGER NOT NULL CHECK (send_max IN (0, 1)),
  subtract_from  TEXT    NOT NULL, -- positions of recipients, as a JSON array
  replaces       TEXT    NOT NULL DEFAULT '', -- the txid of what it replaces
  replaces_id    TEXT    NOT NULL DEFAULT '', -- the psbt_id of that, if it has one
  replaced_by    TEXT    NOT NULL DEFAULT '', -- the reverse
  change_index   INTEGER, -- of its change address; NULL without change
  psbt           BLOB    NOT NULL, -- version 0 (BIP-174), with the signatures there are
  raw            BLOB     -- the signed transaction
) STRICT;
CREATE INDEX psbts_by_time ON psbts (wallet_id, created_at, psbt_id);
CREATE INDEX psbts_by_txid ON psbts (wallet_id, txid);
CREATE INDEX psbts_by_expiry ON psbts (expires_at) WHERE status IN ('created', 'partially_signed', 'complete');
-- No two open proposals have the same change address.
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete');

CREATE TABLE psbt_inputs (
  psbt_id       TEXT    NOT NULL REFERENCES psbts (psbt_id) ON DELETE CASCADE,
  position      INTEGER NOT NULL,
  wallet_id     TEXT    NOT NULL,
  txid          TEXT    NOT NULL,
  vout          INTEGER NOT NULL,
  address       TEXT    NOT NULL,
  amount_sat    INTEGER NOT NULL,
  branch        INTEGER NOT NULL,
  address_index INTEGER NOT NULL,
  PRIMARY KEY (psbt_id, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX psbt_inputs_by_outpoint ON psbt_inputs (wallet_id, txid, vout);

CREATE TABLE psbt_outputs (
  psbt_id       TEXT    NOT NULL REFERENCES psbts (psbt_id) ON DELETE CASCADE,
  position      INTEGER NOT NULL,
  address       TEXT    NOT NULL,
  amount_sat    INTEGER NOT NULL,
  asked_sat     INTEGER NOT NULL, -- before the fee was subtracted; 0 for what is left, and for change
  kind          TEXT    NOT NULL CHECK (kind IN ('external', 'own', 'change')),
  branch        INTEGER,
  address_index INTEGER,
  recipient     INTEGER, -- its position among the recipients; NULL for change
  PRIMARY KEY (psbt_id, position)
) STRICT, WITHOUT ROWID;

-- Which key has signed which input, and who brought the signature.
CREATE TABLE psbt_signatures (
  psbt_id      TEXT    NOT NULL REFERENCES psbts (psbt_id) ON DELETE CASCADE,
  position     INTEGER NOT NULL, -- of the input
  key_position INTEGER NOT NULL, -- among wallet_keys
  at           INTEGER NOT NULL,
  user_id      TEXT    NOT NULL,
  user_name    TEXT    NOT NULL,
  token_id     TEXT    NOT NULL,
  PRIMARY KEY (psbt_id, position, key_position)
) STRICT, WITHOUT ROWID;

-- What happened to a proposal, in its order.
CREATE TABLE psbt_steps (
  psbt_id   TEXT    NOT NULL REFERENCES psbts (psbt_id) ON DELETE CASCADE,
  position  INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  action    TEXT    NOT NULL,
  user_id   TEXT    NOT NULL, -- empty for what the chain or the clock did
  user_name TEXT    NOT NULL,
  token_id  TEXT    NOT NULL,
  detail    TEXT    NOT NULL,
  PRIMARY KEY (psbt_id, position)
) STRICT, WITHOUT ROWID;

-- The coins that open proposals spend, each in one. A row without a proposal was
-- released, and stays until Bitcoin Core was told so.
CREATE TABLE reserved (
  wallet_id TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  txid      TEXT    NOT NULL,
  vout      INTEGER NOT NULL,
  psbt_id   TEXT    REFERENCES psbts (psbt_id) ON DELETE SET NULL,
  PRIMARY KEY (wallet_id, txid, vout)
) STRICT, WITHOUT ROWID;

-- For shells without foreign keys: a proposal that is deleted leaves no rows, and
-- lets its coins go.
-- +goose StatementBegin
CREATE TRIGGER psbts_take_along AFTER DELETE ON psbts
BEGIN
  DELETE FROM psbt_inputs WHERE psbt_id = OLD.psbt_id;
  DELETE FROM psbt_outputs WHERE psbt_id = OLD.psbt_id;
  DELETE FROM psbt_signatures WHERE psbt_id = OLD.psbt_id;
  DELETE FROM psbt_steps WHERE psbt_id = OLD.psbt_id;
  UPDATE reserved SET psbt_id = NULL WHERE psbt_id = OLD.psbt_id;
END;
-- +goose StatementEnd

CREATE VIEW v_psbts AS
SELECT
  p.psbt_id,
  p.wallet_id,
  w.name AS wallet_name,
  p.status,
  (SELECT coalesce(sum(o.amount_sat), 0) FROM psbt_outputs AS o WHERE o.psbt_id = p.psbt_id AND o.kind <> 'change') AS amount_sat,
  p.fee_sat,
  p.vsize,
  p.fee_rate / 1000.0 AS fee_rate_sat_vb,
  (SELECT count(DISTINCT s.key_position) FROM psbt_signatures AS s WHERE s.psbt_id = p.psbt_id) AS keys_signed,
  w.required,
  p.txid,
  p.final_txid,
  p.user_name AS created_by,
  p.token_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.created_at / 1000000, 'unixepoch') AS created_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.expires_at / 1000000, 'unixepoch') AS expires_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', p.status_at / 1000000, 'unixepoch') AS status_at,
  p.reason,
  p.replaces
FROM psbts AS p
JOIN wallets AS w ON w.wallet_id = p.wallet_id;

-- +goose Down
DROP VIEW v_psbts;
DROP TRIGGER psbts_take_along;
DROP TABLE reserved;
DROP TABLE psbt_steps;
DROP TABLE psbt_signatures;
DROP TABLE psbt_outputs;
DROP TABLE psbt_inputs;
DROP TABLE psbts;
