-- name: AddAddresses :exec
INSERT INTO addresses (wallet_id, branch, address_index, address, used)
SELECT CAST(@wallet_id AS TEXT), CAST(@branch AS BIGINT), CAST(@first_index AS BIGINT) + key, value, FALSE
FROM json_each(CAST(@addresses AS TEXT)) WHERE TRUE
ON CONFLICT (wallet_id, branch, address_index) DO NOTHING;

-- SQLite looks up the first index only if its expression has no affinity, which + 0 removes.
-- name: Addresses :many
SELECT a.address, a.branch, a.address_index, a.used, coalesce(l.label, '') AS label,
  CAST(a.address_index < CASE a.branch WHEN 0 THEN w.receive_next ELSE w.change_next END AS BOOLEAN) AS revealed
FROM addresses AS a
JOIN wallets AS w ON w.wallet_id = a.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = a.wallet_id AND l.type = 'addr' AND l.ref = a.address
WHERE a.wallet_id = @wallet_id
  AND (a.branch, a.address_index) >= (@first_branch, CAST(@first_index AS BIGINT) + 0) AND a.branch <= @last_branch
  AND (CAST(@any_used AS BOOLEAN) OR a.used = @used)
  AND (CAST(@any_revealed AS BOOLEAN) OR
       (a.address_index < CASE a.branch WHEN 0 THEN w.receive_next ELSE w.change_next END) = CAST(@revealed AS BOOLEAN))
  AND (CAST(@any_label AS BOOLEAN) OR coalesce(l.label, '') = @label)
ORDER BY a.branch, a.address_index
LIMIT CAST(@max_rows AS BIGINT);

-- name: AddressOf :one
SELECT a.address, a.branch, a.address_index, a.used, coalesce(l.label, '') AS label,
  CAST(a.address_index < CASE a.branch WHEN 0 THEN w.receive_next ELSE w.change_next END AS BOOLEAN) AS revealed
FROM addresses AS a
JOIN wallets AS w ON w.wallet_id = a.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = a.wallet_id AND l.type = 'addr' AND l.ref = a.address
WHERE a.wallet_id = @wallet_id AND a.address = @address;

-- As in balances, transactions that are neither in a block nor in the mempool do not count.
-- name: ReceivedBy :many
SELECT o.address,
  CAST(coalesce(sum(CASE WHEN t.status IN ('confirmed', 'mempool') THEN o.amount_sat ELSE 0 END), 0) AS BIGINT) AS received_sat,
  CAST(coalesce(sum(CASE WHEN t.status = 'confirmed' THEN o.amount_sat ELSE 0 END), 0) AS BIGINT) AS confirmed_sat,
  count(DISTINCT o.txid) AS transactions
FROM outputs AS o
JOIN transactions AS t ON t.wallet_id = o.wallet_id AND t.txid = o.txid
WHERE o.wallet_id = @wallet_id AND o.address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)))
  AND t.status NOT IN ('replaced', 'conflicted', 'abandoned')
GROUP BY o.address;

-- The latest payment to each of the addresses, in a block or in the mempool. A payment that is about to be replaced does
-- not count.
-- name: LastPaid :many
SELECT o.address, CAST(max(t.time) AS BIGINT) AS paid_at
FROM outputs AS o
JOIN transactions AS t ON t.wallet_id = o.wallet_id AND t.txid = o.txid
WHERE o.wallet_id = @wallet_id AND o.address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)))
  AND t.status IN ('confirmed', 'mempool') AND t.txid <> @replaced
GROUP BY o.address;

-- name: FindAddress :many
SELECT a.address, a.branch, a.address_index, a.used, coalesce(l.label, '') AS label,
  CAST(a.address_index < CASE a.branch WHEN 0 THEN w.receive_next ELSE w.change_next END AS BOOLEAN) AS revealed,
  a.wallet_id, m.alias, w.synced_height, w.synced_hash
FROM addresses AS a
JOIN members AS m ON m.wallet_id = a.wallet_id
JOIN wallets AS w ON w.wallet_id = a.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = a.wallet_id AND l.type = 'addr' AND l.ref = a.address
WHERE a.address = @address AND m.user_id = @user_id AND w.stage = 'ready'
ORDER BY m.alias;

-- Reads backwards from the last revealed address, because max() would read all addresses.
-- name: UnusedInARow :one
SELECT CAST(w.receive_next - coalesce((
  SELECT a.address_index + 1 FROM addresses AS a
  WHERE a.wallet_id = w.wallet_id AND a.branch = 0 AND a.used AND a.address_index < w.receive_next
  ORDER BY a.address_index DESC LIMIT 1
), 0) AS BIGINT) AS unused
FROM wallets AS w WHERE w.wallet_id = @wallet_id;

-- name: MarkUsed :exec
UPDATE addresses SET used = TRUE
WHERE wallet_id = @wallet_id AND branch = @branch AND address_index = @address_index AND NOT used;

-- name: OwnPlaces :many
SELECT address, branch, address_index FROM addresses
WHERE wallet_id = @wallet_id AND address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)));

-- name: WalletsWithAddresses :many
SELECT DISTINCT wallet_id FROM addresses
WHERE address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)));
