-- The raw form is most of a transaction and is read only if it is requested, in the
-- same query, because a second lookup takes as long as everything else. Outputs with a
-- label or an address are counted for each transaction: for EXISTS, PostgreSQL may read
-- all outputs of all wallets, and it underestimates the cost of a condition on a joined label.
-- SQLite evaluates conditions in their order, and a filter without a match evaluates them for
-- the whole history, so that numbers are compared before texts.
-- Looking up labels takes half of the time, so that labels of transactions are looked up only if
-- the wallet has any, and the label of an address only if it does not come with the outputs.

-- name: Transactions :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index,
  CAST(CASE WHEN EXISTS (SELECT 1 FROM labels AS tl WHERE tl.wallet_id = @wallet_id AND tl.type = 'tx') THEN coalesce((
    SELECT l.label FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid
  ), '') ELSE '' END AS TEXT) AS label,
  CAST(CASE WHEN CAST(@outputs AS BOOLEAN) AND (h.branch IS NOT NULL OR h.category = 'send') THEN '' ELSE coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = h.wallet_id AND a.type = 'addr' AND a.ref = h.address
  ), '') END AS TEXT) AS address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id
  AND h.time <= @after_time AND (h.time < @after_time OR h.txid < @after_txid)
  AND h.time >= @since AND h.time < @until
  AND (CAST(@any_amount AS BOOLEAN) OR h.flow_sat >= @min_amount AND h.flow_sat <= @max_amount
    OR -h.flow_sat >= @min_amount AND -h.flow_sat <= @max_amount)
  AND (CAST(@any_category AS BOOLEAN) OR h.category = @category)
  AND (CAST(@dead AS BOOLEAN) OR h.status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_label AS BOOLEAN) OR (
    SELECT count(*) FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid AND l.label = @label
  ) + (
    SELECT count(*) FROM named_outputs AS n
    WHERE n.wallet_id = h.wallet_id AND n.txid = h.txid AND (n.output_label = @label OR n.address_label = @label)) > 0)
  AND (CAST(@any_address AS BOOLEAN) OR (
    SELECT count(*) FROM outputs AS o
    WHERE o.wallet_id = h.wallet_id AND o.txid = h.txid AND o.address = @address) > 0)
ORDER BY h.time DESC, h.txid DESC
LIMIT CAST(@max_rows AS BIGINT);

-- Like Transactions, in reverse order.
-- name: TransactionsAscending :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index,
  CAST(CASE WHEN EXISTS (SELECT 1 FROM labels AS tl WHERE tl.wallet_id = @wallet_id AND tl.type = 'tx') THEN coalesce((
    SELECT l.label FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid
  ), '') ELSE '' END AS TEXT) AS label,
  CAST(CASE WHEN CAST(@outputs AS BOOLEAN) AND (h.branch IS NOT NULL OR h.category = 'send') THEN '' ELSE coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = h.wallet_id AND a.type = 'addr' AND a.ref = h.address
  ), '') END AS TEXT) AS address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id
  AND h.time >= @after_time AND (h.time > @after_time OR h.txid > @after_txid)
  AND h.time >= @since AND h.time < @until
  AND (CAST(@any_amount AS BOOLEAN) OR h.flow_sat >= @min_amount AND h.flow_sat <= @max_amount
    OR -h.flow_sat >= @min_amount AND -h.flow_sat <= @max_amount)
  AND (CAST(@any_category AS BOOLEAN) OR h.category = @category)
  AND (CAST(@dead AS BOOLEAN) OR h.status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_label AS BOOLEAN) OR (
    SELECT count(*) FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid AND l.label = @label
  ) + (
    SELECT count(*) FROM named_outputs AS n
    WHERE n.wallet_id = h.wallet_id AND n.txid = h.txid AND (n.output_label = @label OR n.address_label = @label)) > 0)
  AND (CAST(@any_address AS BOOLEAN) OR (
    SELECT count(*) FROM outputs AS o
    WHERE o.wallet_id = h.wallet_id AND o.txid = h.txid AND o.address = @address) > 0)
ORDER BY h.time, h.txid
LIMIT CAST(@max_rows AS BIGINT);

-- Like Transactions; these are few and have their own index.
-- name: UnconfirmedTransactions :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index,
  CAST(CASE WHEN EXISTS (SELECT 1 FROM labels AS tl WHERE tl.wallet_id = @wallet_id AND tl.type = 'tx') THEN coalesce((
    SELECT l.label FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid
  ), '') ELSE '' END AS TEXT) AS label,
  CAST(CASE WHEN CAST(@outputs AS BOOLEAN) AND (h.branch IS NOT NULL OR h.category = 'send') THEN '' ELSE coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = h.wallet_id AND a.type = 'addr' AND a.ref = h.address
  ), '') END AS TEXT) AS address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id AND h.status <> 'confirmed'
  AND h.time <= @after_time AND (h.time < @after_time OR h.txid < @after_txid)
  AND h.time >= @since AND h.time < @until
  AND (CAST(@any_amount AS BOOLEAN) OR h.flow_sat >= @min_amount AND h.flow_sat <= @max_amount
    OR -h.flow_sat >= @min_amount AND -h.flow_sat <= @max_amount)
  AND (CAST(@any_category AS BOOLEAN) OR h.category = @category)
  AND (CAST(@dead AS BOOLEAN) OR h.status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_label AS BOOLEAN) OR (
    SELECT count(*) FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid AND l.label = @label
  ) + (
    SELECT count(*) FROM named_outputs AS n
    WHERE n.wallet_id = h.wallet_id AND n.txid = h.txid AND (n.output_label = @label OR n.address_label = @label)) > 0)
  AND (CAST(@any_address AS BOOLEAN) OR (
    SELECT count(*) FROM outputs AS o
    WHERE o.wallet_id = h.wallet_id AND o.txid = h.txid AND o.address = @address) > 0)
ORDER BY h.time DESC, h.txid DESC
LIMIT CAST(@max_rows AS BIGINT);

-- Like UnconfirmedTransactions, in reverse order.
-- name: UnconfirmedTransactionsAscending :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index,
  CAST(CASE WHEN EXISTS (SELECT 1 FROM labels AS tl WHERE tl.wallet_id = @wallet_id AND tl.type = 'tx') THEN coalesce((
    SELECT l.label FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid
  ), '') ELSE '' END AS TEXT) AS label,
  CAST(CASE WHEN CAST(@outputs AS BOOLEAN) AND (h.branch IS NOT NULL OR h.category = 'send') THEN '' ELSE coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = h.wallet_id AND a.type = 'addr' AND a.ref = h.address
  ), '') END AS TEXT) AS address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id AND h.status <> 'confirmed'
  AND h.time >= @after_time AND (h.time > @after_time OR h.txid > @after_txid)
  AND h.time >= @since AND h.time < @until
  AND (CAST(@any_amount AS BOOLEAN) OR h.flow_sat >= @min_amount AND h.flow_sat <= @max_amount
    OR -h.flow_sat >= @min_amount AND -h.flow_sat <= @max_amount)
  AND (CAST(@any_category AS BOOLEAN) OR h.category = @category)
  AND (CAST(@dead AS BOOLEAN) OR h.status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_label AS BOOLEAN) OR (
    SELECT count(*) FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid AND l.label = @label
  ) + (
    SELECT count(*) FROM named_outputs AS n
    WHERE n.wallet_id = h.wallet_id AND n.txid = h.txid AND (n.output_label = @label OR n.address_label = @label)) > 0)
  AND (CAST(@any_address AS BOOLEAN) OR (
    SELECT count(*) FROM outputs AS o
    WHERE o.wallet_id = h.wallet_id AND o.txid = h.txid AND o.address = @address) > 0)
ORDER BY h.time, h.txid
LIMIT CAST(@max_rows AS BIGINT);

-- Like Transactions, among a few and in either order. The times are compared in a way
-- that prevents SQLite from reading all transactions by their time.
-- name: TransactionsAmong :many
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index,
  CAST(CASE WHEN EXISTS (SELECT 1 FROM labels AS tl WHERE tl.wallet_id = @wallet_id AND tl.type = 'tx') THEN coalesce((
    SELECT l.label FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid
  ), '') ELSE '' END AS TEXT) AS label,
  CAST(CASE WHEN CAST(@outputs AS BOOLEAN) AND (h.branch IS NOT NULL OR h.category = 'send') THEN '' ELSE coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = h.wallet_id AND a.type = 'addr' AND a.ref = h.address
  ), '') END AS TEXT) AS address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id AND h.txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
  AND CASE WHEN CAST(@ascending AS BOOLEAN) THEN h.time > @after_time OR (h.time = @after_time AND h.txid > @after_txid)
    ELSE h.time < @after_time OR (h.time = @after_time AND h.txid < @after_txid) END
  AND h.time + 0 >= @since AND h.time + 0 < @until
  AND (CAST(@any_amount AS BOOLEAN) OR h.flow_sat >= @min_amount AND h.flow_sat <= @max_amount
    OR -h.flow_sat >= @min_amount AND -h.flow_sat <= @max_amount)
  AND (CAST(@any_category AS BOOLEAN) OR h.category = @category)
  AND (CAST(@dead AS BOOLEAN) OR h.status NOT IN ('replaced', 'conflicted', 'abandoned'))
  AND (CAST(@any_label AS BOOLEAN) OR (
    SELECT count(*) FROM labels AS l WHERE l.wallet_id = h.wallet_id AND l.type = 'tx' AND l.ref = h.txid AND l.label = @label
  ) + (
    SELECT count(*) FROM named_outputs AS n
    WHERE n.wallet_id = h.wallet_id AND n.txid = h.txid AND (n.output_label = @label OR n.address_label = @label)) > 0)
  AND (CAST(@any_address AS BOOLEAN) OR (
    SELECT count(*) FROM outputs AS o
    WHERE o.wallet_id = h.wallet_id AND o.txid = h.txid AND o.address = @address) > 0)
ORDER BY CASE WHEN CAST(@ascending AS BOOLEAN) THEN h.time ELSE -h.time END,
  CASE WHEN CAST(@ascending AS BOOLEAN) THEN h.txid END, h.txid DESC
LIMIT CAST(@max_rows AS BIGINT);

-- A transaction that has the label several times may be returned as often, so that no
-- more rows are read than requested.
-- name: TransactionsWithLabel :many
SELECT m.txid FROM (
  SELECT l.ref AS txid FROM labels AS l
  WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'tx'
  UNION ALL
  SELECT o.txid FROM labels AS l JOIN outputs AS o ON o.wallet_id = l.wallet_id AND o.address = l.ref
  WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'addr'
  UNION ALL
  SELECT o.txid FROM labels AS l JOIN outputs AS o ON o.wallet_id = l.wallet_id AND o.txid = rtrim(rtrim(l.ref, '0123456789'), ':')
  WHERE l.wallet_id = @wallet_id AND l.label = @label AND l.type = 'output' AND l.ref = o.txid || ':' || CAST(o.vout AS TEXT)
) AS m
LIMIT CAST(@max_rows AS BIGINT);

-- name: TransactionsWithAddress :many
SELECT txid FROM outputs WHERE wallet_id = @wallet_id AND address = @address
LIMIT CAST(@max_rows AS BIGINT);

-- name: TransactionByID :one
SELECT txid, time, received_at, status, block_height, block_hash, block_time, conflicts, replaceable, trusted, category,
  flow_sat, fee_sat, vsize, address, branch, address_index, label, address_label,
  CASE WHEN CAST(@raw AS BOOLEAN) THEN raw END AS raw
FROM history AS h
WHERE h.wallet_id = @wallet_id AND h.txid = @txid;

-- name: CountTransactions :one
SELECT count(*) FROM transactions WHERE wallet_id = @wallet_id;

-- name: OutputsOf :many
SELECT txid, vout, address, amount_sat, branch, address_index, output_label, address_label FROM named_outputs
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY txid, vout;

-- Outputs of all transactions between two, which are neighbours in an index. Most wallets have
-- no labels of outputs, so that these are only looked up if there are any. The labels of addresses
-- are not joined, because PostgreSQL would then read all labels of the wallet.
-- name: OutputsBetween :many
SELECT
  o.txid,
  o.vout,
  o.address,
  o.amount_sat,
  o.branch,
  o.address_index,
  CAST(coalesce(CASE WHEN EXISTS (SELECT 1 FROM labels AS ol WHERE ol.wallet_id = @wallet_id AND ol.type = 'output') THEN (
    SELECT l.label FROM labels AS l
    WHERE l.wallet_id = o.wallet_id AND l.type = 'output' AND l.ref = o.txid || ':' || CAST(o.vout AS TEXT)
  ) END, '') AS TEXT) AS output_label,
  CAST(coalesce((
    SELECT a.label FROM labels AS a WHERE a.wallet_id = o.wallet_id AND a.type = 'addr' AND a.ref = o.address
  ), '') AS TEXT) AS address_label
FROM outputs AS o
WHERE o.wallet_id = @wallet_id
  AND (o.time, o.txid) >= (@from_time, CAST(@from_txid AS TEXT)) AND (o.time, o.txid) <= (@to_time, CAST(@to_txid AS TEXT))
ORDER BY o.time, o.txid, o.vout;

-- name: InputsOf :many
SELECT txid, prev_txid, prev_vout, amount_sat FROM inputs
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)))
ORDER BY txid, prev_txid, prev_vout;
