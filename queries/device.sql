-- name: DeviceWithFingerprint :one
SELECT d.device_id, d.name
FROM devices AS d JOIN device_keys AS k ON k.device_id = d.device_id
WHERE d.user_id = @user_id AND k.fingerprint = @fingerprint
ORDER BY d.created_at, d.device_id
LIMIT 1;

-- name: DeviceAliasIsTaken :one
SELECT CAST(count(*) > 0 AS BOOLEAN) AS taken FROM devices WHERE user_id = @user_id AND alias = @alias;

-- name: AddDevice :exec
INSERT INTO devices (device_id, user_id, alias, name, type, created_at)
VALUES (@device_id, @user_id, @alias, @name, @type, @created_at);

-- name: AddDeviceKey :exec
INSERT INTO device_keys (device_id, fingerprint, derivation, xpub, original, type, purpose)
VALUES (@device_id, @fingerprint, @derivation, @xpub, @original, @type, @purpose)
ON CONFLICT (device_id, derivation, xpub) DO NOTHING;

-- name: DevicesOfUser :many
SELECT alias, name, type FROM devices WHERE user_id = @user_id ORDER BY name, alias;

-- name: DeviceByAlias :one
SELECT * FROM devices WHERE user_id = @user_id AND alias = @alias;

-- name: RenameDevice :exec
UPDATE devices SET alias = @alias, name = @name WHERE device_id = @device_id;

-- name: WalletsWithDevice :many
SELECT w.wallet_id FROM wallets AS w
WHERE w.stage = 'ready' AND EXISTS (SELECT 1 FROM wallet_keys AS k WHERE k.wallet_id = w.wallet_id AND k.device_id = @device_id);
