-- +goose Up

-- The names of the API: birthday_height, signatures_required, requested, rescan and UTXO.
-- The views are created again because PostgreSQL keeps the names of their columns.
DROP VIEW v_wallets;
DROP VIEW v_proposals;
DROP VIEW coins;
DROP INDEX wallets_by_scan_user;

ALTER TABLE wallets RENAME COLUMN birth_height TO birthday_height;
ALTER TABLE wallets RENAME COLUMN required TO signatures_required;
ALTER TABLE proposal_outputs RENAME COLUMN asked_sat TO requested_sat;
ALTER TABLE wallets RENAME COLUMN scan_from TO rescan_from;
ALTER TABLE wallets RENAME COLUMN scan_progress TO rescan_progress;
ALTER TABLE wallets RENAME COLUMN scan_range TO rescan_range;
ALTER TABLE wallets RENAME COLUMN scan_problem TO rescan_problem;
ALTER TABLE wallets RENAME COLUMN scan_user TO rescan_user;
ALTER TABLE unspent RENAME TO utxos;
CREATE INDEX wallets_by_rescan_user ON wallets (rescan_user) WHERE rescan_from IS NOT NULL;

-- The UTXOs of a wallet as of its synced block. Trusted ones can be spent now.
CREATE VIEW utxo_states AS
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
FROM utxos AS u
JOIN wallets AS w ON w.wallet_id = u.wallet_id;

CREATE VIEW v_wallets AS
SELECT
  w.wallet_id,
  w.name,
  (SELECT group_concat(o.member, ', ') FROM (
    SELECT u.name || ' (' || m.role || ')' AS member
    FROM members AS m JOIN users AS u ON u.user_id = m.user_id
    WHERE m.wallet_id = w.wallet_id ORDER BY u.name_folded
  ) AS o) AS members,
  CASE WHEN w.stage = 'ready' AND w.rescan_from IS NOT NULL THEN 'rescanning' ELSE w.stage END AS status,
  w.problem,
  w.script,
  w.signatures_required,
  (SELECT count(*) FROM wallet_keys AS k WHERE k.wallet_id = w.wallet_id) AS keys,
  w.trusted_sat,
  w.untrusted_pending_sat,
  w.immature_sat,
  w.confirmed_sat,
  (SELECT count(*) FROM transactions AS t WHERE t.wallet_id = w.wallet_id) AS transactions,
  w.synced_height,
  w.synced_hash,
  w.core_name,
  strftime('%Y-%m-%dT%H:%M:%SZ', w.created_at / 1000000, 'unixepoch') AS created_at
FROM wallets AS w;

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
  w.signatures_required,
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

-- +goose Down
DROP VIEW v_proposals;
DROP VIEW v_wallets;
DROP VIEW utxo_states;
DROP INDEX wallets_by_rescan_user;

ALTER TABLE utxos RENAME TO unspent;
ALTER TABLE wallets RENAME COLUMN rescan_user TO scan_user;
ALTER TABLE wallets RENAME COLUMN rescan_problem TO scan_problem;
ALTER TABLE wallets RENAME COLUMN rescan_range TO scan_range;
ALTER TABLE wallets RENAME COLUMN rescan_progress TO scan_progress;
ALTER TABLE wallets RENAME COLUMN rescan_from TO scan_from;
ALTER TABLE proposal_outputs RENAME COLUMN requested_sat TO asked_sat;
ALTER TABLE wallets RENAME COLUMN signatures_required TO required;
ALTER TABLE wallets RENAME COLUMN birthday_height TO birth_height;
CREATE INDEX wallets_by_scan_user ON wallets (scan_user) WHERE scan_from IS NOT NULL;

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

CREATE VIEW v_wallets AS
SELECT
  w.wallet_id,
  w.name,
  (SELECT group_concat(o.member, ', ') FROM (
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
  strftime('%Y-%m-%dT%H:%M:%SZ', w.created_at / 1000000, 'unixepoch') AS created_at
FROM wallets AS w;

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
