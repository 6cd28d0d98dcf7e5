-- The invitation is bound to the user who has this name now, if there is one.
-- name: AddInvitation :exec
INSERT INTO invitations (invitation_id, wallet_id, user_id, user_name, name_folded, role, invited_by, created_at, expires_at)
VALUES (@invitation_id, @wallet_id, (SELECT u.user_id FROM users AS u WHERE u.name_folded = @name_folded),
  @user_name, @name_folded, @role, @invited_by, @created_at, @expires_at);

-- name: InvitationsOfWallet :many
SELECT sqlc.embed(i), w.name AS wallet_name, b.name AS inviter_name, CAST(b.disabled_at IS NULL AS BOOLEAN) AS inviter_active
FROM invitations AS i
JOIN wallets AS w ON w.wallet_id = i.wallet_id
JOIN users AS b ON b.user_id = i.invited_by
WHERE i.wallet_id = @wallet_id
ORDER BY i.created_at, i.invitation_id;

-- name: InvitationsOfUser :many
SELECT sqlc.embed(i), w.name AS wallet_name, b.name AS inviter_name, CAST(b.disabled_at IS NULL AS BOOLEAN) AS inviter_active
FROM invitations AS i
JOIN wallets AS w ON w.wallet_id = i.wallet_id
JOIN users AS b ON b.user_id = i.invited_by
WHERE i.user_id = @user_id AND w.stage = 'ready'
ORDER BY i.created_at, i.invitation_id;

-- name: WalletOfInvitation :one
SELECT wallet_id FROM invitations WHERE invitation_id = @invitation_id;

-- name: DeleteInvitation :exec
DELETE FROM invitations WHERE invitation_id = @invitation_id;

-- name: DeleteInvitationsBy :exec
DELETE FROM invitations WHERE invited_by = @invited_by;

-- name: DropInvitations :exec
DELETE FROM invitations WHERE expires_at <= @expires_at;
