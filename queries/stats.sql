-- Numbers for the metrics.

-- name: WalletStats :many
SELECT CAST(CASE WHEN stage = 'ready' AND rescan_from IS NOT NULL THEN 'rescanning' ELSE stage END AS TEXT) AS status,
  CAST(count(*) AS BIGINT) AS wallets, CAST(min(synced_height) AS BIGINT) AS least_height
FROM wallets
GROUP BY 1;

-- name: ProposalStats :many
SELECT status, CAST(count(*) AS BIGINT) AS proposals FROM proposals GROUP BY status;
