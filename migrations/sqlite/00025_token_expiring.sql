-- +goose Up

-- When the event token.expiring is due; NULL if it was recorded, or never will be.
ALTER TABLE tokens ADD COLUMN expiring_at INTEGER;
CREATE INDEX tokens_by_expiring ON tokens (expiring_at) WHERE expiring_at IS NOT NULL;

-- As auth.ExpiringAt.
UPDATE tokens SET expiring_at = expires_at - min(604800000000, (expires_at - created_at) / 2)
WHERE expires_at > CAST(strftime('%s', 'now') AS INTEGER) * 1000000;

-- +goose Down
DROP INDEX tokens_by_expiring;
ALTER TABLE tokens DROP COLUMN expiring_at;
