-- What the ledger of a wallet requires in addition to its history.

-- Sums up the transactions before a time, without inactive ones.
-- name: FlowUntil :one
SELECT CAST(coalesce(sum(flow_sat), 0) AS BIGINT) AS flow_sat FROM transactions
WHERE wallet_id = @wallet_id AND time < @until AND (status = 'confirmed' OR (status = 'mempool' AND category <> 'generate'));

-- Finds the outputs that inactive transactions spend, which are not unspent. CROSS JOIN makes
-- SQLite begin with these transactions, which are few.
-- name: HeldByInactive :many
SELECT t.wallet_id, t.txid, t.time, o.amount_sat
FROM transactions AS t
CROSS JOIN inputs AS i
CROSS JOIN outputs AS o
CROSS JOIN transactions AS p
WHERE t.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  AND t.status <> 'confirmed' AND t.status = 'inactive' AND t.time >= @since AND t.time < @until
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

-- Like FlowUntil, for the transactions after a place in the history.
-- name: FlowAfter :one
SELECT CAST(coalesce(sum(flow_sat), 0) AS BIGINT) AS flow_sat FROM transactions
WHERE wallet_id = @wallet_id AND time >= @after_time AND (time > @after_time OR txid > @after_txid)
  AND (status = 'confirmed' OR (status = 'mempool' AND category <> 'generate'));

-- Like FlowUntil, for several wallets and in steps of equal length. The starts of the steps are a JSON array; the last
-- step has no end. A sum for each step is several times as fast as a GROUP BY, which would sort all transactions.
-- name: FlowsByStep :many
SELECT CAST(w.value AS TEXT) AS wallet_id, CAST(s.key AS BIGINT) AS step, CAST(coalesce((
  SELECT sum(t.flow_sat) FROM transactions AS t
  WHERE t.wallet_id = w.value AND t.time >= CAST(s.value AS BIGINT)
    AND t.time < CAST(s.value AS BIGINT) + CASE WHEN CAST(s.key AS BIGINT) = CAST(@last AS BIGINT) THEN 4000000000000000000 ELSE CAST(@step AS BIGINT) END
    AND (t.status = 'confirmed' OR (t.status = 'mempool' AND t.category <> 'generate'))
), 0) AS BIGINT) AS flow_sat
FROM json_each(CAST(@wallet_ids AS TEXT)) AS w CROSS JOIN json_each(CAST(@starts AS TEXT)) AS s;

-- The newest transactions since a time that spend UTXOs of the wallets without being one of their proposals. Older
-- ones than the wallet belong to an imported history; the time of a block can be ahead of the clock by @margin.
-- name: UnproposedSpends :many
SELECT t.wallet_id, t.txid, t.time, t.flow_sat
FROM wallets AS w JOIN transactions AS t ON t.wallet_id = w.wallet_id
WHERE w.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  AND t.time >= CAST(@since AS BIGINT) AND t.time >= w.created_at - CAST(@margin AS BIGINT) AND t.category IN ('send', 'selftransfer', 'mixed')
  AND NOT EXISTS (
    SELECT 1 FROM inputs AS i
    CROSS JOIN proposal_inputs AS pi
    JOIN proposals AS p ON p.proposal_id = pi.proposal_id AND (p.txid = i.txid OR p.final_txid = i.txid)
    WHERE i.wallet_id = t.wallet_id AND i.txid = t.txid AND pi.wallet_id = i.wallet_id AND pi.txid = i.prev_txid AND pi.vout = i.prev_vout)
ORDER BY t.time DESC, t.txid
LIMIT CAST(@max_rows AS BIGINT);
