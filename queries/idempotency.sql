-- name: IdempotencyEntry :one
SELECT * FROM idempotency
WHERE user_id = @user_id AND route = @route AND idempotency_key = @idempotency_key;

-- name: ClaimIdempotencyKey :exec
INSERT INTO idempotency (user_id, route, idempotency_key, fingerprint, claim_id, claimed_at)
VALUES (@user_id, @route, @idempotency_key, @fingerprint, @claim_id, @claimed_at)
ON CONFLICT (user_id, route, idempotency_key) DO UPDATE SET
  fingerprint = excluded.fingerprint,
  claim_id = excluded.claim_id,
  claimed_at = excluded.claimed_at,
  status = NULL,
  body = NULL;

-- name: KeepIdempotentAnswer :execrows
UPDATE idempotency SET status = @status, body = @body
WHERE claim_id = @claim_id AND user_id = @user_id AND route = @route AND idempotency_key = @idempotency_key;

-- name: ReleaseIdempotencyKey :exec
DELETE FROM idempotency
WHERE user_id = @user_id AND route = @route AND idempotency_key = @idempotency_key AND claim_id = @claim_id;

-- name: DropIdempotencyKeys :exec
DELETE FROM idempotency WHERE claimed_at < @claimed_at;
