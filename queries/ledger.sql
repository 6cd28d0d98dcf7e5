-- What the ledger of a wallet needs besides its history.

-- Sums up the transactions before a time that count; inactive ones do not.
-- name: FlowUntil :one
SELECT CAST(coalesce(sum(flow_sat), 0) AS BIGINT) AS flow_sat FROM transactions
WHERE wallet_id = @wallet_id AND time < @until AND (status = 'confirmed' OR (status = 'mempool' AND category <> 'generate'));

-- Sums up the outputs that inactive transactions spend, which are not unspent.
-- name: HeldByInactive :many
SELECT t.txid, CAST(sum(o.amount_sat) AS BIGINT) AS held_sat
FROM transactions AS t
JOIN inputs AS i ON i.wallet_id = t.wallet_id AND i.txid = t.txid
JOIN outputs AS o ON o.wallet_id = i.wallet_id AND o.txid = i.prev_txid AND o.vout = i.prev_vout AND o.spent_by = t.txid
JOIN transactions AS p ON p.wallet_id = o.wallet_id AND p.txid = o.txid
WHERE t.wallet_id = @wallet_id AND t.status <> 'confirmed' AND t.status = 'inactive' AND t.time < @until
  AND (p.status = 'confirmed' OR (p.status = 'mempool' AND p.category <> 'generate'))
GROUP BY t.txid;

-- Finds the wallets that own all inputs of a transaction.
-- name: WalletsThatSent :many
SELECT wallet_id, txid FROM transactions
WHERE category IN ('send', 'selftransfer') AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY txid, wallet_id;

-- Of several proposals of one transaction, the last is the one that was sent, or else the latest.
-- name: ProposalsOfTransactions :many
SELECT DISTINCT i.txid, p.psbt_id, p.user_name, p.created_at,
  CASE WHEN p.status IN ('broadcast', 'confirmed') THEN 1 ELSE 0 END AS sent
FROM inputs AS i
JOIN psbt_inputs AS pi ON pi.wallet_id = i.wallet_id AND pi.txid = i.prev_txid AND pi.vout = i.prev_vout
JOIN psbts AS p ON p.psbt_id = pi.psbt_id AND (p.txid = i.txid OR p.final_txid = i.txid)
WHERE i.wallet_id = @wallet_id AND i.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY sent, p.created_at, p.psbt_id;
