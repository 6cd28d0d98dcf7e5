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
  set_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX policies_by_wallet ON policies (wallet_id) WHERE wallet_id IS NOT NULL;

-- Lists of recipients that the policies of a wallet and its members can name.
CREATE TABLE policy_lists (
  wallet_id TEXT   NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  name      TEXT   NOT NULL,
  entries   TEXT   NOT NULL, -- canonical JSON
  user_name TEXT   NOT NULL, -- of the user who set it
  set_at    INTEGER NOT NULL,
  PRIMARY KEY (wallet_id, name)
) STRICT, WITHOUT ROWID;

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
  requested_at INTEGER NOT NULL,
  effective_at INTEGER NOT NULL -- not before this
) STRICT;
CREATE INDEX policy_changes_by_wallet ON policy_changes (wallet_id) WHERE wallet_id IS NOT NULL;

-- What proposals count for in the windows of the rules that permit them. The rows of the
-- server and of tokens stay when the wallet is deleted.
CREATE TABLE spends (
  proposal_id TEXT   NOT NULL,
  subject     TEXT   NOT NULL, -- as in policies, or token:POLICY
  rule        TEXT   NOT NULL,
  at          INTEGER NOT NULL,
  amount_sat  INTEGER NOT NULL, -- with the fee
  -- What of it counts: nothing after the proposal was closed, and while a replacement is
  -- active only what it exceeds the replacement by.
  counted_sat INTEGER NOT NULL,
  counts      INTEGER NOT NULL CHECK (counts IN (0, 1)), -- towards the number of payments
  PRIMARY KEY (proposal_id, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX spends_by_rule ON spends (subject, rule, at, counted_sat, counts);

CREATE TABLE proposal_approvals (
  proposal_id TEXT   NOT NULL REFERENCES proposals (proposal_id) ON DELETE CASCADE,
  position    INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  user_id     TEXT   NOT NULL,
  user_name   TEXT   NOT NULL,
  token_id    TEXT   NOT NULL,
  decision    TEXT   NOT NULL CHECK (decision IN ('approve', 'reject')),
  reason      TEXT   NOT NULL,
  hash        TEXT   NOT NULL, -- of the transaction and the policies that it was given for
  PRIMARY KEY (proposal_id, position)
) STRICT, WITHOUT ROWID;

-- The policy of a token, and its id, which successors keep; empty for none.
ALTER TABLE tokens ADD COLUMN policy TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN policy_id TEXT NOT NULL DEFAULT '';

-- What policies require of a proposal before its release, as JSON; empty for nothing.
ALTER TABLE proposals ADD COLUMN review TEXT NOT NULL DEFAULT '';
-- When the release of a proposal must be tried; NULL if it waits only for approvals or for nothing.
ALTER TABLE proposals ADD COLUMN release_at INTEGER;
CREATE INDEX proposals_by_release ON proposals (release_at) WHERE release_at IS NOT NULL;

-- Two statuses of proposals are new.
DROP VIEW v_proposals;
DROP TRIGGER proposals_delete_rows;
DROP INDEX proposals_by_expiry;
DROP INDEX proposals_by_change;
DROP INDEX proposals_open_by_user;
ALTER TABLE proposals ADD COLUMN new_status TEXT NOT NULL DEFAULT 'created' CHECK (new_status IN ('awaiting_approval', 'created', 'partially_signed', 'complete', 'broadcast', 'confirmed',
                   'cancelled', 'expired', 'rejected', 'conflicted', 'replaced'));
UPDATE proposals SET new_status = status;
ALTER TABLE proposals DROP COLUMN status;
ALTER TABLE proposals RENAME COLUMN new_status TO status;
CREATE INDEX proposals_by_expiry ON proposals (expires_at) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete');
-- No two open proposals have the same change address, except imported ones.
CREATE UNIQUE INDEX proposals_by_change ON proposals (wallet_id, change_index) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX proposals_open_by_user ON proposals (user_id) WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete');
CREATE INDEX proposals_by_replaced ON proposals (replaces_id) WHERE replaces_id <> '';
-- For shells without foreign keys: deleting a proposal deletes its rows in the other
-- tables and releases its UTXOs.
-- +goose StatementBegin
CREATE TRIGGER proposals_delete_rows AFTER DELETE ON proposals
BEGIN
  DELETE FROM proposal_inputs WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_outputs WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_signatures WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_steps WHERE proposal_id = OLD.proposal_id;
  DELETE FROM proposal_approvals WHERE proposal_id = OLD.proposal_id;
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

CREATE VIEW v_policies AS
SELECT
  CASE WHEN instr(x.subject, ':') = 0 THEN x.subject ELSE substr(x.subject, 1, instr(x.subject, ':') - 1) END AS layer,
  x.subject,
  w.name AS wallet_name,
  u.name AS user_name,
  CAST(NULL AS TEXT) AS token_id,
  x.document,
  x.user_name AS set_by,
  strftime('%Y-%m-%dT%H:%M:%SZ', x.set_at / 1000000, 'unixepoch') AS set_at
FROM policies AS x
LEFT JOIN wallets AS w ON w.wallet_id = x.wallet_id
LEFT JOIN users AS u ON u.user_id = x.user_id
UNION ALL
SELECT 'token', 'token:' || t.policy_id, NULL, u.name, t.token_id, t.policy, u.name, strftime('%Y-%m-%dT%H:%M:%SZ', t.created_at / 1000000, 'unixepoch')
FROM tokens AS t JOIN users AS u ON u.user_id = t.user_id
WHERE t.policy <> '';

CREATE VIEW v_spends AS
SELECT
  CASE WHEN instr(x.subject, ':') = 0 THEN x.subject ELSE substr(x.subject, 1, instr(x.subject, ':') - 1) END AS layer,
  x.subject,
  x.rule,
  x.proposal_id,
  p.status,
  x.amount_sat,
  x.counted_sat,
  x.counts,
  strftime('%Y-%m-%dT%H:%M:%SZ', x.at / 1000000, 'unixepoch') AS at
FROM spends AS x
LEFT JOIN proposals AS p ON p.proposal_id = x.proposal_id;

-- +goose Down
DROP VIEW v_spends;
DROP VIEW v_policies;
DROP VIEW v_proposals;
DROP TRIGGER proposals_delete_rows;
DROP INDEX proposals_by_replaced;
DROP INDEX proposals_by_release;
ALTER TABLE proposals DROP COLUMN release_at;
DROP INDEX proposals_by_expiry;
DROP INDEX proposals_by_change;
DROP INDEX proposals_open_by_user;
ALTER TABLE proposals ADD COLUMN new_status TEXT NOT NULL DEFAULT 'created' CHECK (new_status IN ('created', 'partially_signed', 'complete', 'broadcast', 'confirmed',
                   'cancelled', 'expired', 'conflicted', 'replaced'));
UPDATE proposals SET new_status = CASE status WHEN 'awaiting_approval' THEN 'created' WHEN 'rejected' THEN 'cancelled' ELSE status END;
ALTER TABLE proposals DROP COLUMN status;
ALTER TABLE proposals RENAME COLUMN new_status TO status;
ALTER TABLE proposals DROP COLUMN review;
CREATE INDEX proposals_by_expiry ON proposals (expires_at) WHERE status IN ('created', 'partially_signed', 'complete');
-- No two open proposals have the same change address, except imported ones.
CREATE UNIQUE INDEX proposals_by_change ON proposals (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;
CREATE INDEX proposals_open_by_user ON proposals (user_id) WHERE status IN ('created', 'partially_signed', 'complete');
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
ALTER TABLE tokens DROP COLUMN policy_id;
ALTER TABLE tokens DROP COLUMN policy;
DROP TABLE proposal_approvals;
DROP TABLE spends;
DROP TABLE policy_changes;
DROP TABLE policy_lists;
DROP TABLE policies;
