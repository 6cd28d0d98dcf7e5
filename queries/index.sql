-- What the indexer reads and writes; see also address.sql and utxo.sql.

-- name: OwnOutputs :many
SELECT txid, vout, amount_sat FROM outputs
WHERE wallet_id = @wallet_id AND branch IS NOT NULL AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: WalletsWithOutputs :many
SELECT wallet_id, txid, vout FROM outputs
WHERE branch IS NOT NULL AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: States :many
SELECT txid, status, block_height, block_hash, block_time, conflicts, replaceable, trusted FROM transactions
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: Unsettled :many
SELECT txid, status, block_height, block_hash, block_time, conflicts, replaceable, trusted FROM transactions
WHERE wallet_id = @wallet_id AND status <> 'confirmed' AND (status <> 'conflicted' OR block_height >= @height);

-- name: WritableWallets :many
SELECT wallet_id, immature_sat, synced_height, rescan_from, imported, created_at, final_after FROM wallets
WHERE stage = 'ready' AND wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)));

-- Makes concurrent changes of the wallet wait, on databases with row locks.
-- name: HoldWallet :exec
UPDATE wallets SET problem = problem WHERE wallet_id = @wallet_id;

-- name: SetSynced :exec
UPDATE wallets SET
  synced_height = @synced_height, synced_hash = @synced_hash, core_txcount = @core_txcount, core_info = @core_info
WHERE wallet_id = @wallet_id;

-- name: SettleWallet :exec
UPDATE wallets SET
  trusted_sat = @trusted_sat,
  untrusted_pending_sat = @untrusted_pending_sat,
  immature_sat = @immature_sat,
  confirmed_sat = @confirmed_sat,
  receive_next = CASE WHEN receive_next < @receive_next THEN @receive_next ELSE receive_next END,
  change_next = CASE WHEN change_next < @change_next THEN @change_next ELSE change_next END
WHERE wallet_id = @wallet_id;

-- name: AddTransaction :exec
INSERT INTO transactions (wallet_id, txid, time, status, block_height, block_hash, block_time, category, flow_sat, fee_sat,
  vsize, replaceable, trusted, address, branch, address_index, conflicts, received_at, raw)
VALUES (@wallet_id, @txid, @time, @status, @block_height, @block_hash, @block_time, @category, @flow_sat, @fee_sat,
  @vsize, @replaceable, @trusted, @address, @branch, @address_index, @conflicts, @received_at, @raw);

-- name: DeleteTransaction :exec
DELETE FROM transactions WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: SetState :exec
UPDATE transactions SET
  status = @status, block_height = @block_height, block_hash = @block_hash, block_time = @block_time,
  conflicts = @conflicts, replaceable = @replaceable, trusted = @trusted
WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: DeleteOutputs :exec
DELETE FROM outputs WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: DeleteInputs :exec
DELETE FROM inputs WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: AddInput :exec
INSERT INTO inputs (wallet_id, txid, prev_txid, prev_vout, amount_sat)
VALUES (@wallet_id, @txid, @prev_txid, @prev_vout, @amount_sat);

-- name: AddOutput :exec
INSERT INTO outputs (wallet_id, txid, vout, time, address, amount_sat, branch, address_index, spent_by)
VALUES (@wallet_id, @txid, @vout, @time, @address, @amount_sat, @branch, @address_index, @spent_by);

-- name: SetSpentBy :exec
UPDATE outputs SET spent_by = @spent_by
WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout;

-- name: InputsSpending :many
SELECT prev_txid, prev_vout, txid FROM inputs
WHERE wallet_id = @wallet_id AND prev_txid IN (SELECT value FROM json_each(CAST(@prev_txids AS TEXT)));

-- name: DeleteUnspent :exec
DELETE FROM utxos WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout;

-- name: DeleteUnspentOf :exec
DELETE FROM utxos WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: AddUnspentOf :exec
INSERT INTO utxos (wallet_id, txid, vout, address, amount_sat, branch, address_index, time, status, block_height, generated, trusted)
SELECT o.wallet_id, o.txid, o.vout, o.address, o.amount_sat, o.branch, o.address_index,
  t.time, t.status, t.block_height, t.category = 'generate', t.trusted
FROM transactions AS t, outputs AS o
WHERE t.wallet_id = @wallet_id AND t.txid = @txid AND o.wallet_id = @wallet_id AND o.txid = @txid
  AND o.branch IS NOT NULL AND o.spent_by IS NULL
  AND (t.status = 'confirmed' OR (t.status = 'mempool' AND t.category <> 'generate'))
ON CONFLICT (wallet_id, txid, vout) DO NOTHING;
