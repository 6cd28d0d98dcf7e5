-- name: AddAudit :exec
INSERT INTO audit (at, user_id, user_name, token_id, address, action, target, outcome, detail)
VALUES (@at, @user_id, @user_name, @token_id, @address, @action, @target, @outcome, @detail);
