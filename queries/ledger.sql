-- What the ledger of a wallet requires in addition to its history.

-- Sums up the transactions before a time, without inactive ones.
-- name: FlowUntil :one
SELECT CAST(coalesce(sum(flow_sat), 0) AS BIGINT) AS flow_sat FROM transactions
WHERE wallet_id = @wallet_id AND time < @until AND (status = 'confirmed' OR (status = 'mempool' AND category <> 'generate'));

-- Finds the outputs that inactive transactions spend, which are not unspent. CROSS JOIN makes
-- SQLite begin with these transactions, which are few.
-- name: HeldByInactive :many
SELECT t.txid, o.amount_sat
FROM transactions AS t
CROSS JOIN inputs AS i
CROSS JOIN outputs AS o
CROSS JOIN transactions AS p
WHERE t.wallet_id = @wallet_id AND t.status <> 'confirmed' AND t.status = 'inactive' AND t.time < @until
  AND i.wallet_id = t.wallet_id AND i.txid = t.txid
  AND o.wallet_id = i.wallet_id AND o.txid = i.prev_txid AND o.vout = i.prev_vout AND o.spent_by = t.txid
  AND p.wallet_id = o.wallet_id AND p.txid = o.txid
  AND (p.status = 'confirmed' OR (p.status = 'mempool' AND p.category <> 'generate'));

-- Finds the wallets that own all inputs of a transaction.
-- name: WalletsThatSent :many
SELECT wallet_id, txid FROM transactions
WHERE category IN ('send', 'selftransfer') AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY txid, wallet_id;

-- Of several proposals of one transaction, the last is the one that was sent, or else the latest.
-- name: ProposalsOfTransactions :many
SELECT DISTINCT i.txid, p.proposal_id, p.user_name, p.created_at,
  CASE WHEN p.status IN ('broadcast', 'confirmed') THEN 1 ELSE 0 END AS sent
FROM inputs AS i
JOIN proposal_inputs AS pi ON pi.wallet_id = i.wallet_id AND pi.txid = i.prev_txid AND pi.vout = i.prev_vout
JOIN proposals AS p ON p.proposal_id = pi.proposal_id AND (p.txid = i.txid OR p.final_txid = i.txid)
WHERE i.wallet_id = @wallet_id AND i.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY sent, p.created_at, p.proposal_id;
