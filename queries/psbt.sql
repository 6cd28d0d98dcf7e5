-- name: AddPsbt :exec
INSERT INTO psbts (psbt_id, wallet_id, txid, final_txid, status, status_at, reason, version, user_id, user_name, token_id,
  created_at, expires_at, fee_sat, excess_fee_sat, vsize, fee_rate, target_blocks, replaceable, send_max, subtract_from,
  replaces, replaces_id, replaced_by, change_index, psbt, raw, imported)
VALUES (@psbt_id, @wallet_id, @txid, @final_txid, @status, @status_at, @reason, @version, @user_id, @user_name, @token_id,
  @created_at, @expires_at, @fee_sat, @excess_fee_sat, @vsize, @fee_rate, @target_blocks, @replaceable, @send_max, @subtract_from,
  @replaces, @replaces_id, @replaced_by, @change_index, @psbt, @raw, @imported);

-- name: AddPsbtInput :exec
INSERT INTO psbt_inputs (psbt_id, position, wallet_id, txid, vout, address, amount_sat, branch, address_index)
VALUES (@psbt_id, @position, @wallet_id, @txid, @vout, @address, @amount_sat, @branch, @address_index);

-- name: AddPsbtOutput :exec
INSERT INTO psbt_outputs (psbt_id, position, address, amount_sat, asked_sat, kind, branch, address_index, recipient)
VALUES (@psbt_id, @position, @address, @amount_sat, @asked_sat, @kind, @branch, @address_index, @recipient);

-- name: AddPsbtSignature :exec
INSERT INTO psbt_signatures (psbt_id, position, key_position, at, user_id, user_name, token_id)
VALUES (@psbt_id, @position, @key_position, @at, @user_id, @user_name, @token_id);

-- name: AddPsbtStep :exec
INSERT INTO psbt_steps (psbt_id, position, at, action, user_id, user_name, token_id, detail)
VALUES (@psbt_id, @position, @at, @action, @user_id, @user_name, @token_id, @detail);

-- name: UpdatePsbt :execrows
UPDATE psbts SET
  status = @status, status_at = @status_at, reason = @reason, final_txid = @final_txid, replaced_by = @replaced_by,
  vsize = @vsize, psbt = @psbt, raw = @raw, version = version + 1
WHERE psbt_id = @psbt_id AND version = @version;

-- name: PsbtByID :one
SELECT * FROM psbts WHERE wallet_id = @wallet_id AND psbt_id = @psbt_id;

-- name: PsbtsByID :many
SELECT * FROM psbts WHERE psbt_id IN (SELECT value FROM json_each(CAST(@psbt_ids AS TEXT))) ORDER BY psbt_id;

-- name: Psbts :many
SELECT psbt_id FROM psbts
WHERE wallet_id = @wallet_id
  AND created_at <= @before_created_at AND (created_at < @before_created_at OR psbt_id < @before_psbt_id)
  AND (CAST(@any_status AS BOOLEAN) OR status IN (SELECT value FROM json_each(CAST(@statuses AS TEXT))))
  AND (CAST(@any_txid AS BOOLEAN) OR txid = @txid OR final_txid = @txid)
ORDER BY created_at DESC, psbt_id DESC
LIMIT CAST(@max_rows AS BIGINT);

-- name: OverduePsbts :many
SELECT psbt_id FROM psbts
WHERE status IN ('created', 'partially_signed', 'complete') AND expires_at <= @expires_at
ORDER BY expires_at;

-- name: PsbtInputs :many
SELECT * FROM psbt_inputs WHERE psbt_id IN (SELECT value FROM json_each(CAST(@psbt_ids AS TEXT))) ORDER BY psbt_id, position;

-- name: PsbtOutputs :many
SELECT * FROM psbt_outputs WHERE psbt_id IN (SELECT value FROM json_each(CAST(@psbt_ids AS TEXT))) ORDER BY psbt_id, position;

-- name: PsbtSignatures :many
SELECT * FROM psbt_signatures WHERE psbt_id IN (SELECT value FROM json_each(CAST(@psbt_ids AS TEXT))) ORDER BY psbt_id, position, key_position;

-- name: PsbtSteps :many
SELECT * FROM psbt_steps WHERE psbt_id IN (SELECT value FROM json_each(CAST(@psbt_ids AS TEXT))) ORDER BY psbt_id, position;

-- name: FreeChange :one
SELECT a.address_index FROM addresses AS a
WHERE a.wallet_id = @wallet_id AND a.branch = 1 AND NOT a.used
  AND a.address_index NOT IN (
    SELECT p.change_index FROM psbts AS p
    WHERE p.wallet_id = @wallet_id AND p.change_index IS NOT NULL
      AND p.status IN ('created', 'partially_signed', 'complete', 'broadcast'))
ORDER BY a.address_index
LIMIT 1;

-- name: Reserve :execrows
INSERT INTO reserved (wallet_id, txid, vout, psbt_id) VALUES (@wallet_id, @txid, @vout, @psbt_id)
ON CONFLICT (wallet_id, txid, vout) DO UPDATE SET psbt_id = excluded.psbt_id WHERE reserved.psbt_id IS NULL;

-- name: Release :exec
UPDATE reserved SET psbt_id = NULL WHERE wallet_id = @wallet_id AND psbt_id = @psbt_id;

-- As if a proposal had released it.
-- name: NoteLock :exec
INSERT INTO reserved (wallet_id, txid, vout) VALUES (@wallet_id, @txid, @vout) ON CONFLICT (wallet_id, txid, vout) DO NOTHING;

-- name: Reservations :many
SELECT r.txid, r.vout, r.psbt_id, CAST(u.txid IS NOT NULL AS BOOLEAN) AS unspent
FROM reserved AS r LEFT JOIN unspent AS u ON u.wallet_id = r.wallet_id AND u.txid = r.txid AND u.vout = r.vout
WHERE r.wallet_id = @wallet_id
ORDER BY r.txid, r.vout;

-- name: ForgetReleased :exec
DELETE FROM reserved WHERE wallet_id = @wallet_id AND txid = @txid AND vout = @vout AND psbt_id IS NULL;

-- name: FrozenAmong :many
SELECT f.txid, f.vout FROM frozen AS f
WHERE f.wallet_id = @wallet_id AND f.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: OwnCoins :many
SELECT txid, vout, address, amount_sat, branch, address_index FROM outputs
WHERE wallet_id = @wallet_id AND branch IS NOT NULL AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: HasPsbts :one
SELECT CAST(EXISTS (SELECT 1 FROM psbts WHERE wallet_id = @wallet_id) AS BOOLEAN) AS has;

-- Which proposals have a coin in common with these transactions.
-- name: PsbtsTouchedBy :many
SELECT DISTINCT i.psbt_id
FROM inputs AS x JOIN psbt_inputs AS i ON i.wallet_id = x.wallet_id AND i.txid = x.prev_txid AND i.vout = x.prev_vout
WHERE x.wallet_id = @wallet_id AND x.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- What spends the coins of a proposal.
-- name: SpendersOfPsbt :many
SELECT DISTINCT t.txid, t.status, t.raw
FROM psbt_inputs AS i
JOIN inputs AS x ON x.wallet_id = i.wallet_id AND x.prev_txid = i.txid AND x.prev_vout = i.vout
JOIN transactions AS t ON t.wallet_id = x.wallet_id AND t.txid = x.txid
WHERE i.psbt_id = @psbt_id
ORDER BY t.txid;

-- name: ReplacementOf :many
SELECT psbt_id FROM psbts WHERE wallet_id = @wallet_id AND replaces_id = @replaces_id AND txid = @txid;
