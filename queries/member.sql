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

-- Wallets that would have no owner without the user.
-- name: WalletsSolelyOwned :many
SELECT m.wallet_id
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id AND m.role = 'owner' AND w.stage <> 'removing'
  AND NOT EXISTS (SELECT 1 FROM members AS o WHERE o.wallet_id = m.wallet_id AND o.role = 'owner' AND o.user_id <> m.user_id)
ORDER BY m.wallet_id;

-- name: RemoveWalletLater :exec
UPDATE wallets SET stage = 'removing' WHERE wallet_id = @wallet_id;

-- name: UseAlias :exec
INSERT INTO used_aliases (user_id, alias, wallet_id) VALUES (@user_id, @alias, @wallet_id)
ON CONFLICT (user_id, alias) DO UPDATE SET wallet_id = excluded.wallet_id;

-- name: UseAliasesOf :exec
INSERT INTO used_aliases (user_id, alias, wallet_id)
SELECT m.user_id, m.alias, m.wallet_id FROM members AS m WHERE m.wallet_id = @wallet_id
ON CONFLICT (user_id, alias) DO UPDATE SET wallet_id = excluded.wallet_id;

-- name: AliasUse :one
SELECT wallet_id FROM used_aliases WHERE user_id = @user_id AND alias = @alias;

-- The user's other wallets that contain the first address of one of this wallet's branches.
-- name: SameAddresses :many
SELECT m.alias
FROM members AS m
JOIN wallets AS w ON w.wallet_id = m.wallet_id AND w.stage <> 'removing'
JOIN addresses AS o ON o.wallet_id = m.wallet_id
JOIN addresses AS a ON a.address = o.address
WHERE m.user_id = @user_id AND m.wallet_id <> @wallet_id
  AND a.wallet_id = @wallet_id AND a.branch IN (0, 1) AND a.address_index = 0;
