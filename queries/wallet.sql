-- name: WalletsOfUser :many
SELECT m.wallet_id, m.role, m.alias, w.name
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id
ORDER BY m.alias;
