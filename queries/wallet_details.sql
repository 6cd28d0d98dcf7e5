-- name: PlainAddresses :many
SELECT address, used FROM addresses
WHERE wallet_id = @wallet_id AND branch = @branch AND address_index < @end_index
ORDER BY address_index;

-- name: LabelledAddresses :many
SELECT l.ref AS address, l.label,
  CAST(a.address IS NOT NULL AS BOOLEAN) AS own,
  CAST(coalesce(a.branch, 0) AS BIGINT) AS branch,
  CAST(coalesce(a.address_index, 0) AS BIGINT) AS address_index,
  CAST(coalesce(a.used, FALSE) AS BOOLEAN) AS used
FROM labels AS l LEFT JOIN addresses AS a ON a.wallet_id = l.wallet_id AND a.address = l.ref
WHERE l.wallet_id = @wallet_id AND l.type = 'addr'
ORDER BY l.ref;

-- name: UnspentOutputs :many
SELECT txid, vout, address, amount_sat FROM utxos
WHERE wallet_id = @wallet_id
ORDER BY txid, vout;

-- name: LockedOutputs :many
SELECT k.txid, k.vout FROM locked AS k
WHERE k.wallet_id = @wallet_id AND NOT EXISTS (
  SELECT 1 FROM reserved AS r WHERE r.wallet_id = k.wallet_id AND r.txid = k.txid AND r.vout = k.vout AND r.proposal_id IS NULL)
UNION SELECT txid, vout FROM reserved WHERE reserved.wallet_id = @wallet_id AND proposal_id IS NOT NULL;

-- name: FrozenOutputs :many
SELECT txid, vout FROM frozen WHERE wallet_id = @wallet_id;
