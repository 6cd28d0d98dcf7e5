-- name: AddProposal :exec
INSERT INTO proposals (proposal_id, wallet_id, txid, final_txid, status, status_at, reason, version, user_id, user_name, token_id,
  created_at, expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from,
  replaces, replaces_id, replaced_by, evicts, change_index, psbt, raw, imported, fee_source, review, release_at)
VALUES (@proposal_id, @wallet_id, @txid, @final_txid, @status, @status_at, @reason, @version, @user_id, @user_name, @token_id,
  @created_at, @expires_at, @fee_sat, @excess_fee_sat, @vsize, @fee_rate, @target_blocks, @replaceable, @send_max, @subtract_from,
  @replaces, @replaces_id, @replaced_by, @evicts, @change_index, @psbt, @raw, @imported, @fee_source, @review, @release_at);

-- name: AddProposalInput :exec
INSERT INTO proposal_inputs (proposal_id, position, wallet_id, txid, vout, address, amount_sat, branch, address_index)
VALUES (@proposal_id, @position, @wallet_id, @txid, @vout, @address, @amount_sat, @branch, @address_index);

-- name: AddProposalOutput :exec
INSERT INTO proposal_outputs (proposal_id, position, address, amount_sat, requested_sat, kind, branch, address_index, recipient)
VALUES (@proposal_id, @position, @address, @amount_sat, @requested_sat, @kind, @branch, @address_index, @recipient);

-- name: AddProposalSignature :exec
INSERT INTO proposal_signatures (proposal_id, position, key_position, at, user_id, user_name, token_id)
VALUES (@proposal_id, @position, @key_position, @at, @user_id, @user_name, @token_id);

-- name: AddProposalStep :exec
INSERT INTO proposal_steps (proposal_id, position, at, action, user_id, user_name, token_id, detail)
VALUES (@proposal_id, @position, @at, @action, @user_id, @user_name, @token_id, @detail);

-- name: UpdateProposal :execrows
UPDATE proposals SET
  status = @status, status_at = @status_at, reason = @reason, final_txid = @final_txid, replaced_by = @replaced_by,
  vsize = @vsize, psbt = @psbt, raw = @raw, review = @review, release_at = @release_at, version = version + 1
WHERE proposal_id = @proposal_id AND version = @version;

-- name: ProposalByID :one
SELECT * FROM proposals WHERE wallet_id = @wallet_id AND proposal_id = @proposal_id;

-- name: ProposalsByID :many
SELECT * FROM proposals WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id;

-- name: Proposals :many
SELECT p.proposal_id FROM proposals AS p
WHERE p.wallet_id = @wallet_id
  AND p.created_at <= @before_created_at AND (p.created_at < @before_created_at OR p.proposal_id < @before_proposal_id)
  AND (CAST(@any_status AS BOOLEAN) OR p.status IN (SELECT value FROM json_each(CAST(@statuses AS TEXT))))
  AND (CAST(@any_txid AS BOOLEAN) OR p.txid = @txid OR p.final_txid = @txid)
  AND (CAST(@any_creator AS BOOLEAN) OR p.user_id = @user_id)
  AND (CAST(@any_parent AS BOOLEAN) OR p.proposal_id IN (
    SELECT i.proposal_id FROM proposal_inputs AS i
    WHERE i.wallet_id = p.wallet_id AND i.txid IN (SELECT value FROM json_each(CAST(@parents AS TEXT)))))
ORDER BY p.created_at DESC, p.proposal_id DESC
LIMIT CAST(@max_rows AS BIGINT);

-- name: OpenProposals :many
SELECT * FROM proposals
WHERE wallet_id = @wallet_id AND status IN ('created', 'partially_signed', 'complete')
ORDER BY created_at DESC, proposal_id DESC;

-- name: NextExpiry :one
SELECT expires_at FROM proposals
WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete')
ORDER BY expires_at LIMIT 1;

-- name: OverdueProposals :many
SELECT proposal_id FROM proposals
WHERE status IN ('awaiting_approval', 'created', 'partially_signed', 'complete') AND expires_at <= @expires_at
ORDER BY expires_at;

-- name: ProposalInputs :many
SELECT * FROM proposal_inputs WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id, position;

-- name: UnconfirmedInputs :one
SELECT count(*) FROM proposals AS p
JOIN proposal_inputs AS i ON i.proposal_id = p.proposal_id
JOIN transactions AS t ON t.wallet_id = i.wallet_id AND t.txid = i.txid
WHERE p.wallet_id = @wallet_id AND p.proposal_id = @proposal_id
  AND p.status IN ('created', 'partially_signed', 'complete') AND t.status <> 'confirmed';

-- name: ProposalOutputs :many
SELECT * FROM proposal_outputs WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id, position;

-- name: ProposalSignatures :many
SELECT * FROM proposal_signatures WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id, position, key_position;

-- name: ProposalSteps :many
SELECT * FROM proposal_steps WHERE proposal_id IN (SELECT value FROM json_each(CAST(@proposal_ids AS TEXT))) ORDER BY proposal_id, position;

-- name: FreeChange :one
SELECT a.address_index FROM addresses AS a
WHERE a.wallet_id = @wallet_id AND a.branch = 1 AND NOT a.used
  AND a.address_index NOT IN (
    SELECT p.change_index FROM proposals AS p
    WHERE p.wallet_id = @wallet_id AND p.change_index IS NOT NULL
      AND p.status IN ('awaiting_approval', 'created', 'partially_signed', 'complete', 'broadcast'))
  AND NOT a.address IN (SELECT value FROM json_each(CAST(@recipients AS TEXT)))
ORDER BY a.address_index
LIMIT 1;

-- name: Reserve :execrows
INSERT INTO reserved (wallet_id, txid, vout, proposal_id) VALUES (@wallet_id, @txid, @vout, @proposal_id)
ON CONFLICT (wallet_id, txid, vout) DO UPDATE SET proposal_id = excluded.proposal_id WHERE reserved.proposal_id IS NULL;

-- name: Release :exec
UPDATE reserved SET proposal_id = NULL WHERE wallet_id = @wallet_id AND proposal_id = @proposal_id;

-- Inserts the row that a released reservation leaves.
-- name: NoteLock :exec
INSERT INTO reserved (wallet_id, txid, vout) VALUES (@wallet_id, @txid, @vout) ON CONFLICT (wallet_id, txid, vout) DO NOTHING;

-- name: Reservations :many
SELECT r.txid, r.vout, r.proposal_id, CAST(u.txid IS NOT NULL AS BOOLEAN) AS unspent
FROM reserved AS r LEFT JOIN utxos AS u ON u.wallet_id = r.wallet_id AND u.txid = r.txid AND u.vout = r.vout
WHERE r.wallet_id = @wallet_id
ORDER BY r.txid, r.vout;

-- name: ForgetReleased :exec
DELETE FROM reserved WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout AND proposal_id IS NULL;

-- name: FrozenAmong :many
SELECT f.txid, f.vout FROM frozen AS f
WHERE f.wallet_id = @wallet_id AND f.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: OwnUTXOs :many
SELECT txid, vout, address, amount_sat, branch, address_index FROM outputs
WHERE wallet_id = @wallet_id AND branch IS NOT NULL AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: HasProposals :one
SELECT CAST(EXISTS (SELECT 1 FROM proposals WHERE wallet_id = @wallet_id) AS BOOLEAN) AS has;

-- The proposals that these transactions affect: those that share an input with one of
-- them, and those whose inputs descend from one, directly or through transactions that
-- are neither in a block nor in the mempool.
-- name: ProposalsTouchedBy :many
WITH RECURSIVE reached(txid) AS (
  SELECT CAST(value AS TEXT) FROM json_each(CAST(@txids AS TEXT))
  UNION
  SELECT x.txid
  FROM reached AS r
  JOIN inputs AS x ON x.wallet_id = @wallet_id AND x.prev_txid = r.txid
  JOIN transactions AS t ON t.wallet_id = x.wallet_id AND t.txid = x.txid AND t.status = 'inactive'
)
SELECT i.proposal_id
FROM reached AS r
JOIN inputs AS x ON x.wallet_id = @wallet_id AND x.txid = r.txid
JOIN proposal_inputs AS i ON i.wallet_id = x.wallet_id AND i.txid = x.prev_txid AND i.vout = x.prev_vout
UNION
SELECT i.proposal_id
FROM reached AS r
JOIN proposal_inputs AS i ON i.wallet_id = @wallet_id AND i.txid = r.txid;

-- name: UnsettledProposals :many
SELECT proposal_id FROM proposals
WHERE wallet_id = @wallet_id AND status IN ('awaiting_approval', 'created', 'partially_signed', 'complete', 'broadcast')
ORDER BY proposal_id;

-- The dead transactions from which the inputs of a proposal descend, directly or
-- through transactions that are neither in a block nor in the mempool.
-- name: LostAncestors :many
WITH RECURSIVE ancestors(txid) AS (
  SELECT i.txid FROM proposal_inputs AS i WHERE i.wallet_id = @wallet_id AND i.proposal_id = @proposal_id
  UNION
  SELECT x.prev_txid
  FROM ancestors AS a
  JOIN transactions AS t ON t.wallet_id = @wallet_id AND t.txid = a.txid AND t.status = 'inactive'
  JOIN inputs AS x ON x.wallet_id = t.wallet_id AND x.txid = t.txid
)
SELECT t.txid, t.status
FROM ancestors AS a
JOIN transactions AS t ON t.wallet_id = @wallet_id AND t.txid = a.txid
WHERE t.status IN ('replaced', 'conflicted', 'abandoned')
ORDER BY t.txid;

-- Whether another open proposal has an input or the change address of a proposal.
-- name: IsProposalTaken :one
SELECT CAST(EXISTS (
  SELECT 1 FROM proposal_inputs AS i
  JOIN reserved AS r ON r.wallet_id = i.wallet_id AND r.txid = i.txid AND r.vout = i.vout
  WHERE i.proposal_id = @proposal_id AND r.proposal_id IS NOT NULL AND r.proposal_id <> i.proposal_id
) OR EXISTS (
  SELECT 1 FROM proposals AS p
  JOIN proposals AS o ON o.wallet_id = p.wallet_id AND o.change_index = p.change_index AND o.proposal_id <> p.proposal_id
  WHERE p.proposal_id = @proposal_id AND NOT p.imported AND NOT o.imported AND o.status IN ('awaiting_approval', 'created', 'partially_signed', 'complete')
) AS BOOLEAN) AS taken;

-- The transactions that spend the UTXOs of a proposal.
-- name: SpendersOfProposal :many
SELECT DISTINCT t.txid, t.status, t.raw
FROM proposal_inputs AS i
JOIN inputs AS x ON x.wallet_id = i.wallet_id AND x.prev_txid = i.txid AND x.prev_vout = i.vout
JOIN transactions AS t ON t.wallet_id = x.wallet_id AND t.txid = x.txid
WHERE i.proposal_id = @proposal_id
ORDER BY t.txid;

-- name: ProposalsOfTxid :many
SELECT proposal_id, replaces_id FROM proposals WHERE wallet_id = @wallet_id AND txid = @txid ORDER BY proposal_id;

-- name: ReplacedID :one
SELECT replaces_id FROM proposals WHERE proposal_id = @proposal_id;
