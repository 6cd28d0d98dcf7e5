-- +goose Up

-- Spending policies of the server, of wallets and of members, as canonical documents. A
-- row of a member stays when the member leaves the wallet: it applies to open proposals, and
-- again after a return.
CREATE TABLE policies (
  subject   TEXT   NOT NULL PRIMARY KEY, -- server, wallet:WALLET or member:WALLET:USER
  wallet_id TEXT   REFERENCES wallets (wallet_id) ON DELETE CASCADE, -- NULL for the server
  user_id   TEXT, -- of the member, also after the user was deleted; otherwise NULL
  document  TEXT   NOT NULL,
  user_name TEXT   NOT NULL, -- of the user who set it
  set_at    BIGINT  NOT NULL
);
CREATE INDEX policies_by_wallet ON policies (wallet_id) WHERE wallet_id IS NOT NULL;

-- Lists of recipients that the policies of a wallet and its members can name.
CREATE TABLE policy_lists (
  wallet_id TEXT   NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  name      TEXT   NOT NULL,
  entries   TEXT   NOT NULL, -- canonical JSON
  user_name TEXT   NOT NULL, -- of the user who set it
  set_at    BIGINT  NOT NULL,
  PRIMARY KEY (wallet_id, name)
);

-- Changes that loosen a policy and have not taken effect, at most one for each policy or list.
CREATE TABLE policy_changes (
  subject      TEXT   NOT NULL PRIMARY KEY, -- as in policies, or list:WALLET:NAME
  change_id    TEXT   NOT NULL UNIQUE,
  wallet_id    TEXT   REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id      TEXT, -- of the member; otherwise NULL
  document     TEXT   NOT NULL, -- the policy or the entries; empty to delete them
  approvals    TEXT   NOT NULL, -- JSON, with the request as the first one if it counts
  maker_id     TEXT   NOT NULL,
  maker_name   TEXT   NOT NULL,
  token_id     TEXT   NOT NULL,
  requested_at BIGINT  NOT NULL,
  effective_at BIGINT  NOT NULL -- not before this
);
CREATE INDEX policy_changes_by_wallet ON policy_changes (wallet_id) WHERE wallet_id IS NOT NULL;

-- What proposals count for in the windows of the rules that permit them. The rows of the
-- server and of tokens stay when the wallet is deleted.
CREATE TABLE spends (
  proposal_id TEXT   NOT NULL,
  subject     TEXT   NOT NULL, -- as in policies, or token:POLICY
  rule        TEXT   NOT NULL,
  at          BIGINT  NOT NULL,
  amount_sat  BIGINT  NOT NULL, -- with the fee
  -- What of it counts: nothing after the proposal was closed, and while a replacement is
  -- active only what it exceeds the replacement by.
  counted_sat BIGINT  NOT NULL,
  counts      BIGINT  NOT NULL CHECK (counts IN (0, 1)), -- towards the number of payments
  PRIMARY KEY (proposal_id, subject)
);
CREATE INDEX spends_by_rule ON spends (subject, rule, at, counted_sat, counts);

CREATE TABLE proposal_approvals (
  proposal_id TEXT   NOT NULL REFERENCES proposals (proposal_id) ON DELETE CASCADE,
  position    BIGINT  NOT NULL,
  at          BIGINT  NOT NULL,
  user_id     TEXT   NOT NULL,
  user_name   TEXT   NOT NULL,
  token_id    TEXT   NOT NULL,
  decision    TEXT   NOT NULL CHECK (decision IN ('approve', 'reject')),
  reason      TEXT   NOT NULL,
  hash        TEXT   NOT NULL, -- of the transaction and the policies that it was given for
  PRIMARY KEY (proposal_id, position)
);

-- The policy of a token, and its id, which successors keep; empty for none.
ALTER TABLE tokens ADD COLUMN policy TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN policy_id TEXT NOT NULL DEFAULT '';

-- What policies require of a proposal before its release, as JSON; empty for nothing.
ALTER TABLE proposals ADD COLUMN review TEXT NOT NULL DEFAULT '';
-- When the release of a proposal must be tried; NULL if it waits only for approvals or for nothing.
ALTER TABLE proposals ADD COLUMN release_at BIGINT;
CREATE INDEX proposals_by_release ON proposals (release_at) WHERE release_at IS NOT NULL;

-- Two statuses of proposals are new.
DROP VIEW v_proposals;
DROP INDEX proposals_by_expiry;
DROP INDEX proposals_by_change;
DROP INDEX proposals_open_by_user;
ALTER TABLE proposals DROP CONSTRAINT proposals_status_check;
ALTER TABLE proposals ADD CONSTRAINT proposals_status_check CHECK (status IN ('awaiting_approval', 'created', 'partially_signed', 'complete', 'broadcast', 'confirmed',
                   'cancelled', 'expired', 'rejected', 'conflicted', 'replaced'));
CREATE INDEX proposals_by_expiry ON proposals (expires_at) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete');
-- No two open proposals have the same change address, except imported ones.
CREATE UNIQUE INDEX proposals_by_change ON proposals (wallet_id, change_index) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX proposals_open_by_user ON proposals (user_id) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete');
CREATE INDEX proposals_by_replaced ON proposals (replaces_id) WHERE replaces_id <> '';

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

CREATE VIEW v_policies AS
SELECT
  split_part(x.subject, ':', 1) AS layer,
  x.subject,
  w.name AS wallet_name,
  u.name AS user_name,
  CAST(NULL AS TEXT) AS token_id,
  x.document,
  x.user_name AS set_by,
  to_char(to_timestamp(x.set_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS set_at
FROM policies AS x
LEFT JOIN wallets AS w ON w.wallet_id = x.wallet_id
LEFT JOIN users AS u ON u.user_id = x.user_id
UNION ALL
SELECT 'token', 'token:' || t.policy_id, NULL, u.name, t.token_id, t.policy, u.name, to_char(to_timestamp(t.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE t.policy <> '';

CREATE VIEW v_spends AS
SELECT
  split_part(x.subject, ':', 1) AS layer,
  x.subject,
  x.rule,
  x.proposal_id,
  p.status,
  x.amount_sat,
  x.counted_sat,
  x.counts,
  to_char(to_timestamp(x.at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at
FROM spends AS x
LEFT JOIN proposals AS p ON p.proposal_id = x.proposal_id;

-- +goose Down
DROP VIEW v_spends;
DROP VIEW v_policies;
DROP VIEW v_proposals;
DROP INDEX proposals_by_replaced;
DROP INDEX proposals_by_release;
ALTER TABLE proposals DROP COLUMN release_at;
DROP INDEX proposals_by_expiry;
DROP INDEX proposals_by_change;
DROP INDEX proposals_open_by_user;
ALTER TABLE proposals DROP CONSTRAINT proposals_status_check;
UPDATE proposals SET status = CASE status WHEN 'awaiting_approval' THEN 'created' WHEN 'rejected' THEN 'cancelled' ELSE status END;
ALTER TABLE proposals ADD CONSTRAINT proposals_status_check CHECK (status IN ('created', 'partially_signed', 'complete', 'broadcast', 'confirmed',
                   'cancelled', 'expired', 'conflicted', 'replaced'));
ALTER TABLE proposals DROP COLUMN review;
CREATE INDEX proposals_by_expiry ON proposals (expires_at) WHERE status IN ('created', 'partially_signed', 'complete');
-- No two open proposals have the same change address, except imported ones.
CREATE UNIQUE INDEX proposals_by_change ON proposals (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX proposals_open_by_user ON proposals (user_id) WHERE status IN ('created', 'partially_signed', 'complete');
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
ALTER TABLE tokens DROP COLUMN policy_id;
ALTER TABLE tokens DROP COLUMN policy;
DROP TABLE proposal_approvals;
DROP TABLE spends;
DROP TABLE policy_changes;
DROP TABLE policy_lists;
DROP TABLE policies;
