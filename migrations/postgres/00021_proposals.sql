-- +goose Up

-- A payment that waits for signatures is a proposal; psbt is only the format of its
-- transaction.
DROP VIEW v_psbts;

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

ALTER INDEX psbts_by_time RENAME TO proposals_by_time;
ALTER INDEX psbts_by_txid RENAME TO proposals_by_txid;
ALTER INDEX psbts_by_expiry RENAME TO proposals_by_expiry;
ALTER INDEX psbts_by_change RENAME TO proposals_by_change;
ALTER INDEX psbts_open_by_user RENAME TO proposals_open_by_user;
ALTER INDEX psbt_inputs_by_outpoint RENAME TO proposal_inputs_by_outpoint;
ALTER TABLE proposals RENAME CONSTRAINT psbts_pkey TO proposals_pkey;
ALTER TABLE proposals RENAME CONSTRAINT psbts_wallet_id_fkey TO proposals_wallet_id_fkey;
ALTER TABLE proposals RENAME CONSTRAINT psbts_status_check TO proposals_status_check;
ALTER TABLE proposals RENAME CONSTRAINT psbts_fee_source_check TO proposals_fee_source_check;
ALTER TABLE proposal_inputs RENAME CONSTRAINT psbt_inputs_pkey TO proposal_inputs_pkey;
ALTER TABLE proposal_inputs RENAME CONSTRAINT psbt_inputs_psbt_id_fkey TO proposal_inputs_proposal_id_fkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT psbt_outputs_pkey TO proposal_outputs_pkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT psbt_outputs_psbt_id_fkey TO proposal_outputs_proposal_id_fkey;
ALTER TABLE proposal_signatures RENAME CONSTRAINT psbt_signatures_pkey TO proposal_signatures_pkey;
ALTER TABLE proposal_signatures RENAME CONSTRAINT psbt_signatures_psbt_id_fkey TO proposal_signatures_proposal_id_fkey;
ALTER TABLE proposal_steps RENAME CONSTRAINT psbt_steps_pkey TO proposal_steps_pkey;
ALTER TABLE proposal_steps RENAME CONSTRAINT psbt_steps_psbt_id_fkey TO proposal_steps_proposal_id_fkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT psbt_outputs_kind_check TO proposal_outputs_kind_check;
ALTER TABLE reserved RENAME CONSTRAINT reserved_psbt_id_fkey TO reserved_proposal_id_fkey;

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

ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
UPDATE imports SET kind = 'proposal' WHERE kind = 'psbt';
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('user', 'token', 'wallet', 'proposal'));

UPDATE tokens SET scopes = replace(scopes, 'psbts:', 'proposals:') WHERE scopes LIKE '%psbts:%';

-- An Idempotency-Key that was used at the old path must not create a second proposal at
-- the new one. The fingerprint contains the path, so such a request is refused.
UPDATE idempotency SET route = replace(route, '/psbts', '/proposals') WHERE route LIKE '%/psbts%';

-- +goose Down
UPDATE idempotency SET route = replace(route, '/proposals', '/psbts') WHERE route LIKE '%/proposals%';

UPDATE tokens SET scopes = replace(scopes, 'proposals:', 'psbts:') WHERE scopes LIKE '%proposals:%';

ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
UPDATE imports SET kind = 'psbt' WHERE kind = 'proposal';
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('user', 'token', 'wallet', 'psbt'));

DROP VIEW v_proposals;

ALTER TABLE reserved RENAME CONSTRAINT reserved_proposal_id_fkey TO reserved_psbt_id_fkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT proposal_outputs_kind_check TO psbt_outputs_kind_check;
ALTER TABLE proposal_steps RENAME CONSTRAINT proposal_steps_proposal_id_fkey TO psbt_steps_psbt_id_fkey;
ALTER TABLE proposal_steps RENAME CONSTRAINT proposal_steps_pkey TO psbt_steps_pkey;
ALTER TABLE proposal_signatures RENAME CONSTRAINT proposal_signatures_proposal_id_fkey TO psbt_signatures_psbt_id_fkey;
ALTER TABLE proposal_signatures RENAME CONSTRAINT proposal_signatures_pkey TO psbt_signatures_pkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT proposal_outputs_proposal_id_fkey TO psbt_outputs_psbt_id_fkey;
ALTER TABLE proposal_outputs RENAME CONSTRAINT proposal_outputs_pkey TO psbt_outputs_pkey;
ALTER TABLE proposal_inputs RENAME CONSTRAINT proposal_inputs_proposal_id_fkey TO psbt_inputs_psbt_id_fkey;
ALTER TABLE proposal_inputs RENAME CONSTRAINT proposal_inputs_pkey TO psbt_inputs_pkey;
ALTER TABLE proposals RENAME CONSTRAINT proposals_fee_source_check TO psbts_fee_source_check;
ALTER TABLE proposals RENAME CONSTRAINT proposals_status_check TO psbts_status_check;
ALTER TABLE proposals RENAME CONSTRAINT proposals_wallet_id_fkey TO psbts_wallet_id_fkey;
ALTER TABLE proposals RENAME CONSTRAINT proposals_pkey TO psbts_pkey;
ALTER INDEX proposal_inputs_by_outpoint RENAME TO psbt_inputs_by_outpoint;
ALTER INDEX proposals_open_by_user RENAME TO psbts_open_by_user;
ALTER INDEX proposals_by_change RENAME TO psbts_by_change;
ALTER INDEX proposals_by_expiry RENAME TO psbts_by_expiry;
ALTER INDEX proposals_by_txid RENAME TO psbts_by_txid;
ALTER INDEX proposals_by_time RENAME TO psbts_by_time;

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

CREATE VIEW v_psbts AS
SELECT
  p.psbt_id,
  p.wallet_id,
  w.name AS wallet_name,
  p.status,
  (SELECT coalesce(sum(o.amount_sat), 0) FROM psbt_outputs AS o WHERE o.psbt_id = p.psbt_id AND o.kind <> 'change') AS amount_sat,
  p.fee_sat,
  p.vsize,
  CAST(p.fee_rate AS DOUBLE PRECISION) / 1000 AS fee_rate_sat_vb,
  (SELECT count(DISTINCT s.key_position) FROM psbt_signatures AS s WHERE s.psbt_id = p.psbt_id) AS keys_signed,
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
FROM psbts AS p
JOIN wallets AS w ON w.wallet_id = p.wallet_id;
