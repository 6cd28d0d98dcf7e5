-- Locked are frozen and reserved UTXOs, which are locked at the node at the same time, and those that other software
-- locked at the node. A released UTXO is not locked, whatever the node reported before.
-- name: UTXOs :many
SELECT c.txid, c.vout, c.address, c.branch, c.address_index, c.amount_sat, c.time, c.status, c.block_height,
  CAST(c.confirmations AS BIGINT) AS confirmations, CAST(c.immature AS BOOLEAN) AS immature, CAST(c.trusted AS BOOLEAN) AS trusted,
  CAST(f.txid IS NOT NULL OR r.proposal_id IS NOT NULL OR (k.txid IS NOT NULL AND r.txid IS NULL) AS BOOLEAN) AS locked, CAST(f.txid IS NOT NULL AS BOOLEAN) AS frozen,
  CAST(coalesce(r.proposal_id, '') AS TEXT) AS reserved_by,
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

-- Selects and sorts among the rows of the wallet, and only then adds what other tables know. The place of a row is its
-- amount or its time, which is negative for a descending order.
-- name: SortedUTXOs :many
WITH s AS (
  SELECT u.wallet_id, u.txid, u.vout,
    CAST(@sign AS BIGINT) * CASE WHEN CAST(@by_amount AS BOOLEAN) THEN u.amount_sat ELSE u.time END AS place
  FROM utxos AS u
  WHERE u.wallet_id = @wallet_id AND u.amount_sat >= @least AND u.amount_sat <= @most
    AND (CAST(@any_frozen AS BOOLEAN) OR CAST(@frozen AS BOOLEAN) = EXISTS (
      SELECT 1 FROM frozen AS f WHERE f.wallet_id = u.wallet_id AND f.txid = u.txid AND f.vout = u.vout))
    AND (CAST(@any_reserved AS BOOLEAN) OR CAST(@reserved AS BOOLEAN) = EXISTS (
      SELECT 1 FROM reserved AS r WHERE r.wallet_id = u.wallet_id AND r.txid = u.txid AND r.vout = u.vout AND r.proposal_id IS NOT NULL))
    AND (CAST(@any_label AS BOOLEAN)
      OR u.address IN (SELECT l.ref FROM labels AS l WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'addr')
      OR u.txid || ':' || CAST(u.vout AS TEXT) IN (SELECT l.ref FROM labels AS l WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'output'))
), p AS (
  SELECT s.wallet_id, s.txid, s.vout, s.place FROM s
  WHERE s.place >= CAST(@after_place AS BIGINT)
    AND (s.place > CAST(@after_place AS BIGINT) OR s.txid > CAST(@after_txid AS TEXT) OR (s.txid = CAST(@after_txid AS TEXT) AND s.vout > CAST(@after_vout AS BIGINT)))
  ORDER BY s.place, s.txid, s.vout
  LIMIT CAST(@max_rows AS BIGINT)
)
SELECT c.txid, c.vout, c.address, c.branch, c.address_index, c.amount_sat, c.time, c.status, c.block_height,
  CAST(c.confirmations AS BIGINT) AS confirmations, CAST(c.immature AS BOOLEAN) AS immature, CAST(c.trusted AS BOOLEAN) AS trusted,
  CAST(f.txid IS NOT NULL OR r.proposal_id IS NOT NULL OR (k.txid IS NOT NULL AND r.txid IS NULL) AS BOOLEAN) AS locked, CAST(f.txid IS NOT NULL AS BOOLEAN) AS frozen,
  CAST(coalesce(r.proposal_id, '') AS TEXT) AS reserved_by,
  coalesce(o.label, a.label, '') AS label
FROM p
JOIN utxo_states AS c ON c.wallet_id = p.wallet_id AND c.txid = p.txid AND c.vout = p.vout
LEFT JOIN locked AS k ON k.wallet_id = c.wallet_id AND k.txid = c.txid AND k.vout = c.vout
LEFT JOIN frozen AS f ON f.wallet_id = c.wallet_id AND f.txid = c.txid AND f.vout = c.vout
LEFT JOIN reserved AS r ON r.wallet_id = c.wallet_id AND r.txid = c.txid AND r.vout = c.vout
LEFT JOIN labels AS o ON o.wallet_id = c.wallet_id AND o.type = 'output' AND o.ref = c.txid || ':' || CAST(c.vout AS TEXT)
LEFT JOIN labels AS a ON a.wallet_id = c.wallet_id AND a.type = 'addr' AND a.ref = c.address
ORDER BY p.place, p.txid, p.vout;

-- Sums up the rows of SortedUTXOs.
-- name: UTXOTotal :one
SELECT count(*) AS utxos, CAST(coalesce(sum(u.amount_sat), 0) AS BIGINT) AS amount_sat
FROM utxos AS u
WHERE u.wallet_id = @wallet_id AND u.amount_sat >= @least AND u.amount_sat <= @most
  AND (CAST(@any_frozen AS BOOLEAN) OR CAST(@frozen AS BOOLEAN) = EXISTS (
    SELECT 1 FROM frozen AS f WHERE f.wallet_id = u.wallet_id AND f.txid = u.txid AND f.vout = u.vout))
  AND (CAST(@any_reserved AS BOOLEAN) OR CAST(@reserved AS BOOLEAN) = EXISTS (
    SELECT 1 FROM reserved AS r WHERE r.wallet_id = u.wallet_id AND r.txid = u.txid AND r.vout = u.vout AND r.proposal_id IS NOT NULL))
  AND (CAST(@any_label AS BOOLEAN)
    OR u.address IN (SELECT l.ref FROM labels AS l WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'addr')
    OR u.txid || ':' || CAST(u.vout AS TEXT) IN (SELECT l.ref FROM labels AS l WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'output'));

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
