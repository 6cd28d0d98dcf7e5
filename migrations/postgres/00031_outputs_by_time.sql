-- +goose Up

-- A page of a history reads its outputs from neighbouring entries of this index. By their txids, they would be scattered.
ALTER TABLE outputs ADD COLUMN time BIGINT NOT NULL DEFAULT 0; -- of the transaction
UPDATE outputs AS o SET time = t.time FROM transactions AS t WHERE t.wallet_id = o.wallet_id AND t.txid = o.txid;
CREATE INDEX outputs_by_time ON outputs (wallet_id, time, txid, vout);

-- +goose Down
DROP INDEX outputs_by_time;
ALTER TABLE outputs DROP COLUMN time;
