-- Locked are frozen and reserved UTXOs, which are locked at the node at the same time, and those that other software
-- locked at the node. A released UTXO is not locked, whatever the node reported before.
-- name: UTXOs :many
SELECT c.txid, c.vout, c.address, c.branch, c.address_index, c.amount_sat, c.time, c.status, c.block_height,
  CAST(c.confirmations AS BIGINT) AS confirmations, CAST(c.immature AS BOOLEAN) AS immature, CAST(c.trusted AS BOOLEAN) AS trusted,
  CAST(f.txid IS NOT NULL OR r.proposal_id IS NOT NULL OR (k.txid IS NOT NULL AND r.txid IS NULL) AS BOOLEAN) AS locked, CAST(f.txid IS NOT NULL AS BOOLEAN) AS frozen,
  CAST(r.proposal_id IS NOT NULL AS BOOLEAN) AS reserved,
  coalesce(o.label, a.label, '') AS label
FROM utxo_states AS c
LEFT JOIN locked AS k ON k.wallet_id = c.wallet_id AND k.txid = c.txid AND k.vout = c.vout
LEFT JOIN frozen AS f ON f.wallet_id = c.wallet_id AND f.txid = c.txid AND f.vout = c.vout
LEFT JOIN reserved AS r ON r.wallet_id = c.wallet_id AND r.txid = c.txid AND r.vout = c.vout
LEFT JOIN labels AS o ON o.wallet_id = c.wallet_id AND o.type = 'output' AND o.ref = c.txid || ':' || CAST(c.vout AS TEXT)
LEFT JOIN labels AS a ON a.wallet_id = c.wallet_id AND a.type = 'addr' AND a.ref = c.address
WHERE c.wallet_id = @wallet_id AND c.txid >= @first_txid AND (c.txid > @first_txid OR c.vout >= @first_vout)
  AND (CAST(@any_label AS BOOLEAN) OR coalesce(o.label, a.label, '') = @label OR a.label = @label)
  AND (CAST(@any_address AS BOOLEAN) OR c.address = @address)
  AND (CAST(@any_frozen AS BOOLEAN) OR (f.txid IS NOT NULL) = CAST(@frozen AS BOOLEAN))
ORDER BY c.txid, c.vout
LIMIT CAST(@max_rows AS BIGINT);

-- name: BalancesOf :one
SELECT
  CAST(coalesce(sum(CASE WHEN trusted THEN amount_sat ELSE 0 END), 0) AS BIGINT) AS trusted_sat,
  CAST(coalesce(sum(CASE WHEN status = 'mempool' AND NOT trusted THEN amount_sat ELSE 0 END), 0) AS BIGINT) AS untrusted_pending_sat,
  CAST(coalesce(sum(CASE WHEN immature THEN amount_sat ELSE 0 END), 0) AS BIGINT) AS immature_sat,
  CAST(coalesce(sum(CASE WHEN trusted AND status = 'confirmed' THEN amount_sat ELSE 0 END), 0) AS BIGINT) AS confirmed_sat
FROM utxo_states WHERE wallet_id = @wallet_id;

-- name: FrozenUTXOs :many
SELECT f.txid, f.vout
FROM frozen AS f JOIN utxos AS u ON u.wallet_id = f.wallet_id AND u.txid = f.txid AND u.vout = f.vout
WHERE f.wallet_id = @wallet_id
ORDER BY f.txid, f.vout;

-- All outputs that specterd may have locked at the node, spent or not.
-- name: HeldOutputs :many
SELECT txid, vout FROM frozen WHERE frozen.wallet_id = @wallet_id
UNION SELECT txid, vout FROM reserved WHERE reserved.wallet_id = @wallet_id;

-- name: Freeze :execrows
INSERT INTO frozen (wallet_id, txid, vout, created_at) VALUES (@wallet_id, @txid, @vout, @created_at)
ON CONFLICT (wallet_id, txid, vout) DO NOTHING;

-- name: Unfreeze :execrows
DELETE FROM frozen WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout;

-- name: LockedOf :many
SELECT wallet_id, txid, vout FROM locked
WHERE wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)));

-- name: AddLocked :exec
INSERT INTO locked (wallet_id, txid, vout) VALUES (@wallet_id, @txid, @vout)
ON CONFLICT (wallet_id, txid, vout) DO NOTHING;

-- name: DeleteLocked :exec
DELETE FROM locked WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout;
