-- +goose Up

-- The filters label and address match any output of a transaction, not only the
-- one that represents it in a list.
CREATE INDEX outputs_by_address ON outputs (wallet_id, address, txid);
CREATE INDEX labels_by_label ON labels (wallet_id, label, type, ref);

-- Outputs with their labels and the labels of their addresses; empty for none.
CREATE VIEW named_outputs AS
SELECT
  o.wallet_id,
  o.txid,
  o.vout,
  o.address,
  o.amount_sat,
  o.branch,
  o.address_index,
  o.spent_by,
  coalesce(l.label, '') AS output_label,
  coalesce(a.label, '') AS address_label
FROM outputs AS o
LEFT JOIN labels AS l ON l.wallet_id = o.wallet_id AND l.type = 'output' AND l.ref = o.txid || ':' || CAST(o.vout AS TEXT)
LEFT JOIN labels AS a ON a.wallet_id = o.wallet_id AND a.type = 'addr' AND a.ref = o.address;

DROP VIEW v_transactions;
CREATE VIEW v_transactions AS
SELECT
  t.wallet_id,
  w.name AS wallet_name,
  t.txid,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.time / 1000000, 'unixepoch') AS time,
  t.category,
  t.status,
  CASE WHEN t.status <> 'confirmed' THEN 0
       WHEN t.block_height > w.synced_height THEN 1
       ELSE w.synced_height - t.block_height + 1 END AS confirmations,
  t.flow_sat,
  t.fee_sat,
  t.vsize,
  t.address,
  t.address_label,
  t.label,
  t.block_height,
  t.block_hash,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.block_time / 1000000, 'unixepoch') AS block_time,
  coalesce((SELECT group_concat(o.address, ' ') FROM (
    SELECT n.address || '' AS address FROM outputs AS n
    WHERE n.wallet_id = t.wallet_id AND n.txid = t.txid AND n.address <> '' AND (t.category = 'send') = (n.branch IS NULL)
    GROUP BY n.address || '' ORDER BY min(n.vout)
  ) AS o), t.address) AS addresses,
  coalesce((SELECT group_concat(o.label, ' | ') FROM (
    SELECT n.label FROM (
      SELECT output_label AS label, vout FROM named_outputs WHERE wallet_id = t.wallet_id AND txid = t.txid
      UNION ALL
      SELECT address_label, vout FROM named_outputs WHERE wallet_id = t.wallet_id AND txid = t.txid
    ) AS n
    WHERE n.label <> '' GROUP BY n.label ORDER BY min(n.vout), n.label
  ) AS o), '') AS output_labels
FROM history AS t
JOIN wallets AS w ON w.wallet_id = t.wallet_id;

CREATE VIEW v_outputs AS
SELECT
  n.wallet_id,
  w.name AS wallet_name,
  n.txid,
  n.vout,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.time / 1000000, 'unixepoch') AS time,
  t.status,
  n.address,
  n.amount_sat,
  CASE n.branch WHEN 0 THEN 'receive' WHEN 1 THEN 'change' ELSE 'foreign' END AS branch,
  n.address_index,
  n.spent_by,
  n.output_label,
  n.address_label
FROM named_outputs AS n
JOIN transactions AS t ON t.wallet_id = n.wallet_id AND t.txid = n.txid
JOIN wallets AS w ON w.wallet_id = n.wallet_id;

-- +goose Down
DROP VIEW v_outputs;
DROP VIEW v_transactions;
CREATE VIEW v_transactions AS
SELECT
  t.wallet_id,
  w.name AS wallet_name,
  t.txid,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.time / 1000000, 'unixepoch') AS time,
  t.category,
  t.status,
  CASE WHEN t.status <> 'confirmed' THEN 0
       WHEN t.block_height > w.synced_height THEN 1
       ELSE w.synced_height - t.block_height + 1 END AS confirmations,
  t.flow_sat,
  t.fee_sat,
  t.vsize,
  t.address,
  coalesce(a.label, '') AS address_label,
  coalesce(l.label, '') AS label,
  t.block_height,
  t.block_hash,
  strftime('%Y-%m-%dT%H:%M:%SZ', t.block_time / 1000000, 'unixepoch') AS block_time
FROM transactions AS t
JOIN wallets AS w ON w.wallet_id = t.wallet_id
LEFT JOIN labels AS l ON l.wallet_id = t.wallet_id AND l.type = 'tx' AND l.ref = t.txid
LEFT JOIN labels AS a ON a.wallet_id = t.wallet_id AND a.type = 'addr' AND a.ref = t.address;

DROP VIEW named_outputs;
DROP INDEX labels_by_label;
DROP INDEX outputs_by_address;
