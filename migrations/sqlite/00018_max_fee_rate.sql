-- +goose Up

-- The maximum fee rate of proposals, in satoshis per 1000 virtual bytes; 0 for the server's.
ALTER TABLE wallets ADD COLUMN max_fee_rate INTEGER NOT NULL DEFAULT 0 CHECK (max_fee_rate >= 0);

-- +goose Down
ALTER TABLE wallets DROP COLUMN max_fee_rate;
