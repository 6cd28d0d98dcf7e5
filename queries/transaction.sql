-- The raw form is most of a transaction, and read only where it is wanted; in the
-- same query, because looking it up again takes as long as all the rest.

-- name: Transactions :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history
WHERE wallet_id = @wallet_id
  AND time <= @after_time AND (time < @after_time OR txid < @after_txid)
  AND time >= @since AND time < @until
  AND (CAST(@dead AS BOOLEAN) OR status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_category AS BOOLEAN) OR category = @category)
  AND (CAST(@any_label AS BOOLEAN) OR label = @label OR address_label = @label)
ORDER BY time DESC, txid DESC
LIMIT CAST(@max_rows AS BIGINT);

-- As Transactions, in the reverse order.
-- name: TransactionsAscending :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history
WHERE wallet_id = @wallet_id
  AND time >= @after_time AND (time > @after_time OR txid > @after_txid)
  AND time >= @since AND time < @until
  AND (CAST(@dead AS BOOLEAN) OR status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_category AS BOOLEAN) OR category = @category)
  AND (CAST(@any_label AS BOOLEAN) OR label = @label OR address_label = @label)
ORDER BY time, txid
LIMIT CAST(@max_rows AS BIGINT);

-- As Transactions; these are few and have an index of their own.
-- name: UnconfirmedTransactions :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history
WHERE wallet_id = @wallet_id AND status <> 'confirmed'
  AND time <= @after_time AND (time < @after_time OR txid < @after_txid)
  AND time >= @since AND time < @until
  AND (CAST(@dead AS BOOLEAN) OR status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_category AS BOOLEAN) OR category = @category)
  AND (CAST(@any_label AS BOOLEAN) OR label = @label OR address_label = @label)
ORDER BY time DESC, txid DESC
LIMIT CAST(@max_rows AS BIGINT);

-- As UnconfirmedTransactions, in the reverse order.
-- name: UnconfirmedTransactionsAscending :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history
WHERE wallet_id = @wallet_id AND status <> 'confirmed'
  AND time >= @after_time AND (time > @after_time OR txid > @after_txid)
  AND time >= @since AND time < @until
  AND (CAST(@dead AS BOOLEAN) OR status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_category AS BOOLEAN) OR category = @category)
  AND (CAST(@any_label AS BOOLEAN) OR label = @label OR address_label = @label)
ORDER BY time, txid
LIMIT CAST(@max_rows AS BIGINT);

-- name: TransactionByID :one
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history
WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: CountTransactions :one
SELECT count(*) FROM transactions WHERE wallet_id = @wallet_id;

-- name: OutputsOf :many
SELECT o.txid, o.vout, o.address, o.amount_sat, o.branch, o.address_index, coalesce(l.label, a.label, '') AS label
FROM outputs AS o
LEFT JOIN labels AS l ON l.wallet_id = o.wallet_id AND l.type = 'output' AND l.ref = o.txid || ':' || CAST(o.vout AS TEXT)
LEFT JOIN labels AS a ON a.wallet_id = o.wallet_id AND a.type = 'addr' AND a.ref = o.address
WHERE o.wallet_id = @wallet_id AND o.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY o.txid, o.vout;

-- name: InputsOf :many
SELECT txid, prev_txid, prev_vout, amount_sat FROM inputs
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY txid, prev_txid, prev_vout;
