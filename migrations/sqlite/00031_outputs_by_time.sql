-- +goose Up

-- A page of a history reads its outputs from neighbouring rows of this index, which has all that it shows. By their
-- txids, they would be scattered over the whole table.
ALTER TABLE outputs ADD COLUMN time INTEGER NOT NULL DEFAULT 0; -- of the transaction
UPDATE outputs SET time = (SELECT t.time FROM transactions AS t WHERE t.wallet_id = outputs.wallet_id AND t.txid = outputs.txid);
CREATE INDEX outputs_by_time ON outputs (wallet_id, time, txid, vout, address, amount_sat, branch, address_index);

-- +goose Down
DROP INDEX outputs_by_time;
ALTER TABLE outputs DROP COLUMN time;
