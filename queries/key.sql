-- name: SigningKeys :many
SELECT * FROM signing_keys
ORDER BY retired_at IS NULL DESC, retired_at DESC, fingerprint;

-- name: CurrentSigningKey :one
SELECT fingerprint FROM signing_keys WHERE retired_at IS NULL;

-- name: AddSigningKey :execrows
INSERT INTO signing_keys (fingerprint, created_at) VALUES (@fingerprint, @created_at)
ON CONFLICT (fingerprint) DO NOTHING;

-- name: RetireSigningKey :execrows
UPDATE signing_keys SET retired_at = @retired_at
WHERE fingerprint = @fingerprint AND retired_at IS NULL;

-- name: DropSigningKey :exec
UPDATE signing_keys SET dropped_at = @dropped_at WHERE fingerprint = @fingerprint;

-- name: CountTokensOfKey :one
SELECT count(*) FROM tokens WHERE signing_key = @fingerprint AND expires_at > @expires_at;

-- name: DeleteTokensOfKey :exec
DELETE FROM tokens WHERE signing_key = @fingerprint;

-- name: DropAllSigningKeys :exec
UPDATE signing_keys SET retired_at = coalesce(retired_at, @at), dropped_at = coalesce(dropped_at, @at);
