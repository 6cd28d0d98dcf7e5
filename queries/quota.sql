-- Counts inserted rows, unless the limit may be exceeded now.
-- name: RaiseQuotaUse :execrows
UPDATE quota_use SET used = used + @more
WHERE subject_id = @subject_id AND quota = @quota AND used + @more <= @most;

-- Prevents concurrent transactions from counting the same until this one ends.
-- name: HoldQuotaUse :exec
INSERT INTO quota_use (subject_id, quota, used) VALUES (@subject_id, @quota, 0)
ON CONFLICT (subject_id, quota) DO UPDATE SET used = quota_use.used;

-- name: SetQuotaUse :exec
UPDATE quota_use SET used = @used WHERE subject_id = @subject_id AND quota = @quota;

-- name: ForgetQuotaUse :exec
DELETE FROM quota_use WHERE subject_id = @subject_id;

-- name: QuotasOfUser :one
SELECT quotas FROM users WHERE user_id = @user_id;

-- name: CountWalletsOfUser :one
SELECT count(*) FROM members WHERE user_id = @user_id;

-- name: CountTokensOfUser :one
SELECT count(*) FROM tokens WHERE user_id = @user_id;

-- name: CountOpenProposalsOfUser :one
SELECT count(*) FROM proposals WHERE user_id = @user_id AND status IN ('awaiting_approval', 'created', 'partially_signed', 'complete');

-- name: CountScansOfUser :one
SELECT count(*) FROM wallets WHERE rescan_user = @user_id AND rescan_from IS NOT NULL;

-- The second condition makes SQLite read the index and not the rows, which contain the responses.
-- name: CountIdempotencyKeysOfUser :one
SELECT count(*) FROM idempotency WHERE user_id = @user_id AND claimed_at >= 0;

-- name: CountLabelsOfWallet :one
SELECT count(*) FROM labels WHERE wallet_id = @wallet_id;

-- name: CountFrozenOfWallet :one
SELECT count(*) FROM frozen WHERE wallet_id = @wallet_id;

-- name: CountLabelsAmong :one
SELECT count(*) FROM labels
WHERE wallet_id = @wallet_id AND type = @type AND ref IN (SELECT value FROM json_each(CAST(@refs AS TEXT)));

-- The largest number in any of the user's wallets.
-- name: MostUsedOfWallets :one
SELECT CAST(coalesce(max(u.used), 0) AS BIGINT) AS used
FROM members AS m JOIN quota_use AS u ON u.subject_id = m.wallet_id
WHERE m.user_id = @user_id AND u.quota = @quota;

-- name: LongestRangeOfUser :one
SELECT CAST(coalesce(max(w.receive_next), 0) AS BIGINT) AS used
FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id
WHERE m.user_id = @user_id;

-- name: CountInvitationsByUser :one
SELECT count(*) FROM invitations WHERE invited_by = @invited_by;
