-- +goose Up

-- A payment that waits for signatures is a proposal; psbt is only the format of its
-- transaction. SQLite rewrites the foreign keys that refer to a renamed table or column.
DROP VIEW v_psbts;
DROP TRIGGER psbts_take_along;
DROP INDEX psbts_by_time;
DROP INDEX psbts_by_txid;
DROP INDEX psbts_by_expiry;
DROP INDEX psbts_by_change;
DROP INDEX psbts_open_by_user;
DROP INDEX psbt_inputs_by_outpoint;

ALTER TABLE psbts RENAME TO proposals;
ALTER TABLE psbt_inputs RENAME TO proposal_inputs;
ALTER TABLE psbt_outputs RENAME TO proposal_outputs;
ALTER TABLE psbt_signatures RENAME TO proposal_signatures;
ALTER TABLE psbt_steps RENAME TO proposal_steps;
ALTER TABLE proposals RENAME COLUMN psbt_id TO proposal_id;
ALTER TABLE proposal_inputs RENAME COLUMN psbt_id TO proposal_id;
ALTER TABLE proposal_outputs RENAME COLUMN psbt_id TO proposal_id;
ALTER TABLE proposal_signatures RENAME COLUMN psbt_id TO proposal_id;
ALTER TABLE proposal_steps RENAME COLUMN psbt_id TO proposal_id;
ALTER TABLE reserved RENAME COLUMN psbt_id TO proposal_id;

CREATE INDEX proposals_by_time ON proposals (wallet_id, created_at, proposal_id);
CREATE INDEX proposals_by_txid ON proposals (wallet_id, txid);
CREATE INDEX proposals_by_expiry ON proposals (expires_at) WHERE status IN ('created', 'partially_signed', 'complete');
-- No two open proposals have the same change address, except imported ones.
CREATE UNIQUE INDEX proposals_by_change ON proposals (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX proposals_open_by_user ON proposals (user_id) WHERE status IN ('created', 'partially_signed', 'complete');
CREATE INDEX proposal_inputs_by_outpoint ON proposal_inputs (wallet_id, txid, vout);

-- For shells without foreign keys: deleting a proposal deletes its rows in the other
-- tables and releases its UTXOs.
-- +goose StatementBegin
CREATE TRIGGER proposals_delete_rows AFTER DELETE ON proposals
BEGIN
  DELETE FROM proposal_inputs WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_outputs WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_signatures WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_steps WHERE proposal_id = OLD.proposal_id;
  UPDATE reserved SET proposal_id = NULL WHERE proposal_id = OLD.proposal_id;
END;
-- +goose StatementEnd

CREATE VIEW v_proposals AS
SELECT
  p.proposal_id,
  p.wallet_id,
  w.name AS wallet_name,
  p.status,
  (SELECT coalesce(sum(o.amount_sat), 0) FROM proposal_outputs AS o WHERE o.proposal_id = p.proposal_id AND o.kind <> 'change') AS amount_sat,
  p.fee_sat,
  p.vsize,
  p.fee_rate / 1000.0 AS fee_rate_sat_vb,
  (SELECT count(DISTINCT s.key_position) FROM proposal_signatures AS s WHERE s.proposal_id = p.proposal_id) AS keys_signed,
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
FROM proposals AS p
JOIN wallets AS w ON w.wallet_id = p.wallet_id;

CREATE TABLE new_imports (
  kind       TEXT    NOT NULL CHECK (kind IN ('user', 'token', 'wallet', 'proposal')),
  origin     TEXT    NOT NULL, -- identifies it in the Specter data directory
  id         TEXT    NOT NULL, -- its ID in this database
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, origin)
) STRICT;
INSERT INTO new_imports (kind, origin, id, created_at)
SELECT CASE kind WHEN 'psbt' THEN 'proposal' ELSE kind END, origin, id, created_at FROM imports;
DROP TABLE imports;
ALTER TABLE new_imports RENAME TO imports;

UPDATE tokens SET scopes = replace(scopes, 'psbts:', 'proposals:') WHERE scopes LIKE '%psbts:%';

-- An Idempotency-Key that was used at the old path must not create a second proposal at
-- the new one. The fingerprint contains the path, so such a request is refused.
UPDATE idempotency SET route = replace(route, '/psbts', '/proposals') WHERE route LIKE '%/psbts%';

-- +goose Down
UPDATE idempotency SET route = replace(route, '/proposals', '/psbts') WHERE route LIKE '%/proposals%';

UPDATE tokens SET scopes = replace(scopes, 'proposals:', 'psbts:') WHERE scopes LIKE '%proposals:%';

CREATE TABLE old_imports (
  kind       TEXT    NOT NULL CHECK (kind IN ('user', 'token', 'wallet', 'psbt')),
  origin     TEXT    NOT NULL,
  id         TEXT    NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, origin)
) STRICT;
INSERT INTO old_imports (kind, origin, id, created_at)
SELECT CASE kind WHEN 'proposal' THEN 'psbt' ELSE kind END, origin, id, created_at FROM imports;
DROP TABLE imports;
ALTER TABLE old_imports RENAME TO imports;

DROP VIEW v_proposals;
DROP TRIGGER proposals_delete_rows;
DROP INDEX proposal_inputs_by_outpoint;
DROP INDEX proposals_open_by_user;
DROP INDEX proposals_by_change;
DROP INDEX proposals_by_expiry;
DROP INDEX proposals_by_txid;
DROP INDEX proposals_by_time;

ALTER TABLE reserved RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposal_steps RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposal_signatures RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposal_outputs RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposal_inputs RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposals RENAME COLUMN proposal_id TO psbt_id;
ALTER TABLE proposal_steps RENAME TO psbt_steps;
ALTER TABLE proposal_signatures RENAME TO psbt_signatures;
ALTER TABLE proposal_outputs RENAME TO psbt_outputs;
ALTER TABLE proposal_inputs RENAME TO psbt_inputs;
ALTER TABLE proposals RENAME TO psbts;

CREATE INDEX psbts_by_time ON psbts (wallet_id, created_at, psbt_id);
CREATE INDEX psbts_by_txid ON psbts (wallet_id, txid);
CREATE INDEX psbts_by_expiry ON psbts (expires_at) WHERE status IN ('created', 'partially_signed', 'complete');
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX psbts_open_by_user ON psbts (user_id) WHERE status IN ('created', 'partially_signed', 'complete');
CREATE INDEX psbt_inputs_by_outpoint ON psbt_inputs (wallet_id, txid, vout);

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
