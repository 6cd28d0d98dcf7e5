-- +goose Up

-- What the rescan that is due asks for, so that the server can do the work after it has answered.
ALTER TABLE wallets ADD COLUMN scan_range BIGINT NOT NULL DEFAULT 0; -- look for addresses of indexes below this; 0 for range_end
ALTER TABLE wallets ADD COLUMN scan_problem TEXT NOT NULL DEFAULT ''; -- why the last rescan failed or has to wait; '' for nothing

-- +goose Down
ALTER TABLE wallets DROP COLUMN scan_problem;
ALTER TABLE wallets DROP COLUMN scan_range;
