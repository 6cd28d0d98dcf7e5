-- +goose Up

-- Finds the wallet that a payment to another one comes from.
CREATE INDEX transactions_by_txid ON transactions (txid) WHERE category IN ('send', 'selftransfer');

-- +goose Down
DROP INDEX transactions_by_txid;
