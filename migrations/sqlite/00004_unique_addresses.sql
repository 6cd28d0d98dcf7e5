-- +goose Up

-- An address is in one place of a wallet. To know so has SQLite look a labelled
-- address up by this index, and not among all addresses of the wallet.
DROP INDEX addresses_by_address;
CREATE UNIQUE INDEX addresses_by_address ON addresses (address, wallet_id);

-- +goose Down
DROP INDEX addresses_by_address;
CREATE INDEX addresses_by_address ON addresses (address, wallet_id);
