-- Numbers for the metrics.

-- name: WalletStats :many
SELECT CAST(CASE WHEN stage = 'ready' AND rescan_from IS NOT NULL THEN 'rescanning' ELSE stage END AS TEXT) AS status,
  CAST(count(*) AS BIGINT) AS wallets, CAST(min(synced_height) AS BIGINT) AS least_height
FROM wallets
GROUP BY 1;

-- name: ProposalStats :many
SELECT status, CAST(count(*) AS BIGINT) AS proposals FROM proposals GROUP BY status;

-- See UnproposedSpends. SQLite does not reorder a CROSS JOIN: for each wallet, only the recent
-- transactions are read.
-- name: UnproposedCount :one
SELECT CAST(count(*) AS BIGINT) AS spends
FROM wallets AS w CROSS JOIN transactions AS t
WHERE t.wallet_id = w.wallet_id AND t.time >= CAST(@since AS BIGINT) AND t.time >= w.created_at - CAST(@margin AS BIGINT) AND t.category IN ('send', 'selftransfer', 'mixed')
  AND NOT EXISTS (
    SELECT 1 FROM inputs AS i
    CROSS JOIN proposal_inputs AS pi
    JOIN proposals AS p ON p.proposal_id = pi.proposal_id AND (p.txid = i.txid OR p.final_txid = i.txid)
    WHERE i.wallet_id = t.wallet_id AND i.txid = t.txid AND pi.wallet_id = i.wallet_id AND pi.txid = i.prev_txid AND pi.vout = i.prev_vout);
