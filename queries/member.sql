-- name: WalletsOfUser :many
SELECT m.wallet_id, m.role, m.alias, w.name
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id AND w.stage = 'ready'
ORDER BY m.alias;

-- name: Members :many
SELECT sqlc.embed(m), u.name AS user_name
FROM members AS m JOIN users AS u ON u.user_id = m.user_id
WHERE m.wallet_id = @wallet_id
ORDER BY u.name_folded;

-- name: PutMember :execrows
INSERT INTO members (wallet_id, user_id, role, alias, created_at)
VALUES (@wallet_id, @user_id, @role, @alias, @created_at)
ON CONFLICT (wallet_id, user_id) DO UPDATE SET role = excluded.role, alias = excluded.alias;

-- name: DeleteMember :exec
DELETE FROM members WHERE wallet_id = @wallet_id AND user_id = @user_id;

-- Wallets that would be without an owner if the user were not there.
-- name: WalletsSolelyOwned :many
SELECT m.wallet_id
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id AND m.role = 'owner' AND w.stage <> 'removing'
  AND NOT EXISTS (SELECT 1 FROM members AS o WHERE o.wallet_id = m.wallet_id AND o.role = 'owner' AND o.user_id <> m.user_id)
ORDER BY m.wallet_id;

-- name: RemoveWalletLater :exec
UPDATE wallets SET stage = 'removing' WHERE wallet_id = @wallet_id;
