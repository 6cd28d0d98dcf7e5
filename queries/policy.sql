-- name: PoliciesOf :many
SELECT subject, document FROM policies
WHERE subject IN (SELECT value FROM json_each(CAST(@subjects AS TEXT)))
ORDER BY subject;

-- name: PolicyOf :one
SELECT * FROM policies WHERE subject = @subject;

-- name: PoliciesOfWallet :many
SELECT * FROM policies WHERE wallet_id = @wallet_id ORDER BY subject;

-- name: PutPolicy :exec
INSERT INTO policies (subject, wallet_id, user_id, document, user_name, set_at)
VALUES (@subject, @wallet_id, @user_id, @document, @user_name, @set_at)
ON CONFLICT (subject) DO UPDATE SET document = excluded.document, user_name = excluded.user_name, set_at = excluded.set_at;

-- name: DeletePolicy :exec
DELETE FROM policies WHERE subject = @subject;

-- The token and its ancestors, nearest first, with their policies.
-- name: TokenPolicies :many
WITH RECURSIVE family (id, distance) AS (
  SELECT CAST(@token_id AS TEXT), 0
  UNION
  SELECT t.parent_id, family.distance + 1
  FROM tokens AS t JOIN family ON t.token_id = family.id
  WHERE t.parent_id IS NOT NULL
)
SELECT t.token_id, t.policy, t.policy_id
FROM family JOIN tokens AS t ON t.token_id = family.id
ORDER BY family.distance;

-- name: PolicyListsOf :many
SELECT * FROM policy_lists WHERE wallet_id = @wallet_id ORDER BY name;

-- name: PutPolicyList :exec
INSERT INTO policy_lists (wallet_id, name, entries, user_name, set_at)
VALUES (@wallet_id, @name, @entries, @user_name, @set_at)
ON CONFLICT (wallet_id, name) DO UPDATE SET entries = excluded.entries, user_name = excluded.user_name, set_at = excluded.set_at;

-- name: DeletePolicyList :exec
DELETE FROM policy_lists WHERE wallet_id = @wallet_id AND name = @name;

-- name: PolicyChangeOf :one
SELECT * FROM policy_changes WHERE subject = @subject;

-- name: ServerChanges :many
SELECT * FROM policy_changes WHERE wallet_id IS NULL ORDER BY subject;

-- name: PolicyChangesOfWallet :many
SELECT * FROM policy_changes WHERE wallet_id = @wallet_id ORDER BY requested_at, subject;

-- name: DuePolicyChanges :many
SELECT * FROM policy_changes WHERE effective_at <= @now ORDER BY effective_at, subject;

-- name: NextPolicyChange :one
SELECT effective_at FROM policy_changes WHERE effective_at > @after ORDER BY effective_at LIMIT 1;

-- name: PutPolicyChange :exec
INSERT INTO policy_changes (subject, change_id, wallet_id, user_id, document, approvals, maker_id, maker_name, token_id, requested_at, effective_at)
VALUES (@subject, @change_id, @wallet_id, @user_id, @document, @approvals, @maker_id, @maker_name, @token_id, @requested_at, @effective_at)
ON CONFLICT (subject) DO UPDATE SET change_id = excluded.change_id, document = excluded.document, approvals = excluded.approvals,
  maker_id = excluded.maker_id, maker_name = excluded.maker_name, token_id = excluded.token_id,
  requested_at = excluded.requested_at, effective_at = excluded.effective_at;

-- name: DeletePolicyChange :exec
DELETE FROM policy_changes WHERE subject = @subject;

-- The wallets that have some of the addresses.
-- name: WalletsPaid :many
SELECT a.address, a.wallet_id
FROM addresses AS a JOIN wallets AS w ON w.wallet_id = a.wallet_id
WHERE a.address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)))
  AND a.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  AND w.stage = 'ready'
ORDER BY a.address, a.wallet_id;

-- name: LeastConfirmations :one
SELECT CAST(coalesce(min(CASE WHEN t.status <> 'confirmed' THEN 0 WHEN t.block_height > w.synced_height THEN 1
    ELSE w.synced_height - t.block_height + 1 END), 0) AS BIGINT) AS confirmations,
  CAST(count(*) AS BIGINT) AS transactions
FROM transactions AS t JOIN wallets AS w ON w.wallet_id = t.wallet_id
WHERE t.wallet_id = @wallet_id AND t.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: TrustedSum :one
SELECT CAST(coalesce(sum(CASE WHEN trusted THEN amount_sat ELSE 0 END), 0) AS BIGINT) AS amount_sat
FROM utxo_states WHERE wallet_id = @wallet_id;

-- What other proposals of a wallet take from it, in comparison with the index: open ones, and
-- sent ones that are not in the index yet. A replacement takes less by what it replaces.
-- name: CostOfOthers :one
SELECT CAST(coalesce(sum(
    (SELECT coalesce(sum(i.amount_sat), 0) FROM proposal_inputs AS i WHERE i.proposal_id = p.proposal_id)
  - (SELECT coalesce(sum(o.amount_sat), 0) FROM proposal_outputs AS o WHERE o.proposal_id = p.proposal_id AND o.kind <> 'external')
  + coalesce((SELECT t.flow_sat FROM transactions AS t WHERE t.wallet_id = p.wallet_id AND t.txid = p.replaces AND t.status = 'mempool'), 0)
  ), 0) AS BIGINT) AS amount_sat
FROM proposals AS p
WHERE p.wallet_id = @wallet_id AND p.proposal_id <> @proposal_id
  AND (p.status IN ('awaiting_approval', 'created', 'partially_signed', 'complete')
    OR p.status = 'broadcast' AND EXISTS (
      SELECT 1 FROM proposal_inputs AS i JOIN utxos AS u ON u.wallet_id = i.wallet_id AND u.txid = i.txid AND u.vout = i.vout
      WHERE i.proposal_id = p.proposal_id));

-- The flow of a transaction in the mempool.
-- name: MempoolFlow :many
SELECT flow_sat FROM transactions WHERE wallet_id = @wallet_id AND txid = @txid AND status = 'mempool';

-- name: ApproversOf :many
SELECT m.user_id, u.name AS user_name, m.role, u.is_admin
FROM members AS m JOIN users AS u ON u.user_id = m.user_id
WHERE m.wallet_id = @wallet_id AND u.disabled_at IS NULL
ORDER BY u.name_folded;

-- name: Admins :many
SELECT user_id, name FROM users WHERE is_admin AND disabled_at IS NULL ORDER BY name_folded;

-- The sums of spends after a time by rule, from the spends up to the next full 10 minutes, the
-- sums of 10 minutes up to the next full day, and the sums of days.
-- name: SpentSince :many
SELECT x.rule, CAST(sum(x.counted_sat) AS BIGINT) AS counted_sat, CAST(sum(x.counts) AS BIGINT) AS counts
FROM (
  SELECT s.rule, s.counted_sat, s.counts FROM spends AS s
  WHERE s.subject = @subject AND s.at > @after AND s.at < @next_span
  UNION ALL
  SELECT m.rule, m.counted_sat, m.counts FROM spend_sums AS m
  WHERE m.subject = @subject AND m.minutes = 10 AND m.start >= @next_span AND m.start < @next_day
  UNION ALL
  SELECT d.rule, d.counted_sat, d.counts FROM spend_sums AS d
  WHERE d.subject = @subject AND d.minutes = 1440 AND d.start >= @next_day
) AS x
GROUP BY x.rule;

-- name: SpendsBetween :many
SELECT at, counted_sat, counts FROM spends
WHERE subject = @subject AND at >= @first AND at < @before AND rule = @rule
ORDER BY at;

-- name: SpendSums :many
SELECT start AS at, counted_sat, counts FROM spend_sums
WHERE subject = @subject AND minutes = @minutes AND start >= @first AND start < @before AND rule = @rule
ORDER BY start;

-- name: SpendsOf :many
SELECT * FROM spends WHERE proposal_id = @proposal_id ORDER BY subject;

-- name: AddSpend :exec
INSERT INTO spends (proposal_id, subject, rule, at, amount_sat, counted_sat, counts)
VALUES (@proposal_id, @subject, @rule, @at, @amount_sat, @counted_sat, @counts);

-- name: CountSpend :exec
UPDATE spends SET counted_sat = @counted_sat, counts = @counts WHERE proposal_id = @proposal_id AND subject = @subject;

-- name: DeleteSpends :exec
DELETE FROM spends WHERE proposal_id = @proposal_id;

-- What a proposal and the proposals that replace it, directly or through others, count for, with an
-- empty subject for nothing; their status; and whether their transaction was sent, and has left the
-- mempool without a conflict in a block.
-- name: CountingStates :many
WITH RECURSIVE line (id) AS (
  SELECT o.proposal_id FROM proposals AS o WHERE o.proposal_id = @proposal_id
  UNION
  SELECT r.proposal_id FROM proposals AS r JOIN line ON r.replaces_id = line.id WHERE r.replaces_id <> ''
)
SELECT
  p.proposal_id, p.status,
  EXISTS (SELECT 1 FROM proposal_steps AS t WHERE t.proposal_id = p.proposal_id AND t.action IN ('broadcast', 'confirmed')) AS sent,
  EXISTS (SELECT 1 FROM transactions AS t WHERE t.wallet_id = p.wallet_id AND t.txid = p.final_txid AND t.status IN ('replaced', 'inactive')) AS out_of_mempool,
  coalesce(s.subject, '') AS subject, coalesce(s.rule, '') AS rule, CAST(coalesce(s.amount_sat, 0) AS BIGINT) AS amount_sat,
  CAST(coalesce(s.counted_sat, 0) AS BIGINT) AS counted_sat, CAST(coalesce(s.counts, 0) AS BIGINT) AS counts
FROM line
JOIN proposals AS p ON p.proposal_id = line.id
LEFT JOIN spends AS s ON s.proposal_id = p.proposal_id;

-- name: ApprovalsOfProposals :many
SELECT * FROM proposal_approvals WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id, position;

-- name: AddProposalApproval :exec
INSERT INTO proposal_approvals (proposal_id, position, at, user_id, user_name, token_id, decision, reason, hash)
VALUES (@proposal_id, @position, @at, @user_id, @user_name, @token_id, @decision, @reason, @hash);

-- name: NextRelease :one
SELECT CAST(coalesce(min(release_at), 0) AS BIGINT) AS release_at FROM proposals WHERE release_at IS NOT NULL;

-- Makes the release of the proposals be tried that await approval, of one wallet or of all.
-- name: TryReleases :exec
UPDATE proposals SET release_at = @now
WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete') AND status = 'awaiting_approval'
  AND (wallet_id = @wallet_id OR CAST(@every_wallet AS BOOLEAN));

-- name: ShowPolicyChange :exec
UPDATE proposals SET version = version + 1
WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete') AND status <> 'awaiting_approval'
  AND (wallet_id = @wallet_id OR CAST(@every_wallet AS BOOLEAN));

-- name: DueReleases :many
SELECT proposal_id FROM proposals WHERE release_at <= @now ORDER BY release_at, proposal_id;
