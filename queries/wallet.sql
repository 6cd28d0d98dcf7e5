-- name: AddWallet :exec
INSERT INTO wallets (wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor,
  birthday_height, created_at, range_end, receive_next, change_next, rescan_from, rescan_user)
VALUES (@wallet_id, @name, @stage, @core_name, @script, @signatures_required, @receive_descriptor, @change_descriptor,
  @birthday_height, @created_at, @range_end, @receive_next, @change_next, @rescan_from, @rescan_user);

-- name: AddWalletKey :exec
INSERT INTO wallet_keys (wallet_id, position, fingerprint, derivation, xpub, original, type, purpose, device_id)
VALUES (@wallet_id, @position, @fingerprint, @derivation, @xpub, @original, @type, @purpose, @device_id);

-- name: WalletByID :one
SELECT * FROM wallets WHERE wallet_id = @wallet_id;

-- name: AllWallets :many
SELECT * FROM wallets ORDER BY wallet_id;

-- Only columns that the table has had from the beginning (some had other names, see
-- oldNames): a new program backs up an old database without migrating it.
-- name: WalletsToBackUp :many
SELECT wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor,
  birthday_height, created_at, range_end, receive_next, change_next
FROM wallets ORDER BY wallet_id;

-- name: KeysOfWallets :many
SELECT sqlc.embed(k), coalesce(d.alias, '') AS device, coalesce(d.name, '') AS device_name, coalesce(d.user_id, '') AS device_owner
FROM wallet_keys AS k LEFT JOIN devices AS d ON d.device_id = k.device_id
WHERE k.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
ORDER BY k.wallet_id, k.position;

-- name: UpdateWallet :exec
UPDATE wallets SET
  name = @name,
  stage = @stage,
  delete_files = @delete_files,
  birthday_height = @birthday_height,
  rescan_from = @rescan_from,
  rescan_progress = @rescan_progress,
  rescan_range = @rescan_range,
  rescan_user = @rescan_user,
  rescan_problem = @rescan_problem,
  receive_next = @receive_next,
  change_next = @change_next,
  problem = @problem,
  max_fee_rate = @max_fee_rate,
  final_after = @final_after
WHERE wallet_id = @wallet_id;

-- name: RaiseRange :execrows
UPDATE wallets SET range_end = @range_end
WHERE wallet_id = @wallet_id AND range_end < @range_end;

-- name: DeleteWallet :execrows
DELETE FROM wallets WHERE wallet_id = @wallet_id;

-- name: ViewOfUser :one
SELECT sqlc.embed(w), m.alias, m.role
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id AND m.wallet_id = @wallet_id AND w.stage = 'ready';

-- Frozen UTXOs, and reserved ones that are not frozen.
-- name: HeldBack :many
SELECT c.wallet_id,
  CAST(sum(CASE WHEN f.txid IS NOT NULL THEN c.amount_sat ELSE 0 END) AS BIGINT) AS frozen_sat,
  CAST(sum(CASE WHEN f.txid IS NULL THEN c.amount_sat ELSE 0 END) AS BIGINT) AS reserved_sat
FROM (
  SELECT wallet_id, txid, vout FROM frozen
  WHERE frozen.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  UNION
  SELECT wallet_id, txid, vout FROM reserved
  WHERE reserved.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT))) AND proposal_id IS NOT NULL
) AS h
JOIN utxo_states AS c ON c.wallet_id = h.wallet_id AND c.txid = h.txid AND c.vout = h.vout
LEFT JOIN frozen AS f ON f.wallet_id = h.wallet_id AND f.txid = h.txid AND f.vout = h.vout
WHERE c.trusted
GROUP BY c.wallet_id;

-- name: ViewsOfUser :many
SELECT sqlc.embed(w), m.alias, m.role
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id AND m.alias > @after AND w.stage = 'ready'
ORDER BY m.alias
LIMIT CAST(@max_rows AS BIGINT);
