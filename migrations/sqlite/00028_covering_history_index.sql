-- +goose Up

-- The first index contains what running balances are calculated from, so that they do not read the rows, most of which
-- a chart or the oldest page of a history needs. With the status in the second, SQLite still looks up inactive
-- transactions in that index, which is much shorter.
DROP INDEX transactions_by_time;
CREATE INDEX transactions_by_time ON transactions (wallet_id, time, txid, status, category, flow_sat);
DROP INDEX transactions_unsettled;
CREATE INDEX transactions_unsettled ON transactions (wallet_id, time, txid, status) WHERE status <> 'confirmed';

-- +goose Down
DROP INDEX transactions_by_time;
CREATE INDEX transactions_by_time ON transactions (wallet_id, time, txid);
DROP INDEX transactions_unsettled;
CREATE INDEX transactions_unsettled ON transactions (wallet_id, time, txid) WHERE status <> 'confirmed';
