-- name: WalletsOfUser :many
SELECT wallet_id, role, alias FROM members WHERE user_id = @user_id ORDER BY alias;

-- name: WalletOfUser :one
SELECT wallet_id, role, alias FROM members WHERE user_id = @user_id AND alias = @alias;
