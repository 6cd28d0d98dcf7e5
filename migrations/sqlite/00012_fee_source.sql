-- +goose Up

-- Where the fee rate of a proposal came from; empty where that was not recorded.
ALTER TABLE psbts ADD COLUMN fee_source TEXT NOT NULL DEFAULT '' CHECK (fee_source IN ('', 'requested', 'estimate', 'fallback', 'minimum'));
UPDATE psbts SET fee_source = 'requested' WHERE target_blocks = 0 AND NOT imported;

-- +goose Down
ALTER TABLE psbts DROP COLUMN fee_source;
