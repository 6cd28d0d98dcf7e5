-- +goose Up

-- The names of the API: birthday_height, signatures_required, requested, rescan and UTXO.
-- The views are created again because PostgreSQL keeps the names of their columns.
DROP VIEW v_wallets;
DROP VIEW v_proposals;
DROP VIEW coins;

ALTER TABLE wallets RENAME COLUMN birth_height TO birthday_height;
ALTER TABLE wallets RENAME COLUMN required TO signatures_required;
ALTER TABLE proposal_outputs RENAME COLUMN asked_sat TO requested_sat;
ALTER TABLE wallets RENAME COLUMN scan_from TO rescan_from;
ALTER TABLE wallets RENAME COLUMN scan_progress TO rescan_progress;
ALTER TABLE wallets RENAME COLUMN scan_range TO rescan_range;
ALTER TABLE wallets RENAME COLUMN scan_problem TO rescan_problem;
ALTER TABLE wallets RENAME COLUMN scan_user TO rescan_user;
ALTER TABLE unspent RENAME TO utxos;
ALTER INDEX unspent_pkey RENAME TO utxos_pkey;
ALTER INDEX wallets_by_scan_user RENAME TO wallets_by_rescan_user;

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
  (SELECT string_agg(o.member, ', ') FROM (
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
  to_char(to_timestamp(w.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at
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
  CAST(p.fee_rate AS DOUBLE PRECISION) / 1000 AS fee_rate_sat_vb,
  (SELECT count(DISTINCT s.key_position) FROM proposal_signatures AS s WHERE s.proposal_id = p.proposal_id) AS keys_signed,
  w.signatures_required,
  p.txid,
  p.final_txid,
  p.user_name AS created_by,
  p.token_id,
  to_char(to_timestamp(p.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(p.expires_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS expires_at,
  to_char(to_timestamp(p.status_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS status_at,
  p.reason,
  p.replaces
FROM proposals AS p
JOIN wallets AS w ON w.wallet_id = p.wallet_id;

-- +goose Down
DROP VIEW v_proposals;
DROP VIEW v_wallets;
DROP VIEW utxo_states;

ALTER INDEX utxos_pkey RENAME TO unspent_pkey;
ALTER TABLE utxos RENAME TO unspent;
ALTER TABLE wallets RENAME COLUMN rescan_user TO scan_user;
ALTER TABLE wallets RENAME COLUMN rescan_problem TO scan_problem;
ALTER TABLE wallets RENAME COLUMN rescan_range TO scan_range;
ALTER TABLE wallets RENAME COLUMN rescan_progress TO scan_progress;
ALTER TABLE wallets RENAME COLUMN rescan_from TO scan_from;
ALTER TABLE proposal_outputs RENAME COLUMN requested_sat TO asked_sat;
ALTER TABLE wallets RENAME COLUMN signatures_required TO required;
ALTER TABLE wallets RENAME COLUMN birthday_height TO birth_height;
ALTER INDEX wallets_by_rescan_user RENAME TO wallets_by_scan_user;

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

CREATE VIEW v_proposals AS
SELECT
  p.proposal_id,
  p.wallet_id,
  w.name AS wallet_name,
  p.status,
  (SELECT coalesce(sum(o.amount_sat), 0) FROM proposal_outputs AS o WHERE o.proposal_id = p.proposal_id AND o.kind <> 'change') AS amount_sat,
  p.fee_sat,
  p.vsize,
  CAST(p.fee_rate AS DOUBLE PRECISION) / 1000 AS fee_rate_sat_vb,
  (SELECT count(DISTINCT s.key_position) FROM proposal_signatures AS s WHERE s.proposal_id = p.proposal_id) AS keys_signed,
  w.required,
  p.txid,
  p.final_txid,
  p.user_name AS created_by,
  p.token_id,
  to_char(to_timestamp(p.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(p.expires_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS expires_at,
  to_char(to_timestamp(p.status_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS status_at,
  p.reason,
  p.replaces
FROM proposals AS p
JOIN wallets AS w ON w.wallet_id = p.wallet_id;
