-- name: AddAudit :exec
INSERT INTO audit (at, user_id, user_name, token_id, address, action, target, outcome, detail)
VALUES (@at, @user_id, @user_name, @token_id, @address, @action, @target, @outcome, @detail);

-- Newest first.
-- name: ListAudit :many
SELECT * FROM audit
WHERE audit_id < @before_id
  AND at >= @since AND at < @until
  AND (CAST(@any_user AS BOOLEAN) OR user_name = @user_name)
  AND (CAST(@any_action AS BOOLEAN) OR action = @action OR substr(action, 1, length(CAST(@action_group AS TEXT))) = @action_group
    OR action = @old_action OR substr(action, 1, length(CAST(@old_action_group AS TEXT))) = @old_action_group)
  AND (CAST(@any_target AS BOOLEAN) OR target = @target)
  AND (CAST(@any_outcome AS BOOLEAN) OR outcome = @outcome)
ORDER BY audit_id DESC
LIMIT CAST(@max_rows AS BIGINT);

-- name: AuditChain :many
SELECT * FROM audit WHERE chain_position >= @first ORDER BY chain_position LIMIT CAST(@max_rows AS BIGINT);

-- name: EndOfAuditChain :one
SELECT * FROM audit WHERE chain_position IS NOT NULL ORDER BY chain_position DESC LIMIT 1;

-- name: UnsealedAudit :many
SELECT * FROM audit WHERE chain_position IS NULL ORDER BY audit_id LIMIT CAST(@max_rows AS BIGINT);

-- name: HasUnsealedAudit :one
SELECT CAST(count(*) AS BIGINT) FROM (SELECT audit_id FROM audit WHERE chain_position IS NULL LIMIT 1) AS one;

-- name: SealAudit :exec
UPDATE audit SET chain_position = @chain_position, previous_hash = @previous_hash, hash = @hash WHERE audit_id = @audit_id;

-- name: DeleteAuditUpTo :exec
DELETE FROM audit WHERE chain_position <= @last_position;
