-- +goose Up

-- When the event token.expiring is due; NULL if it was recorded, or never will be.
ALTER TABLE tokens ADD COLUMN expiring_at BIGINT;
CREATE INDEX tokens_by_expiring ON tokens (expiring_at) WHERE expiring_at IS NOT NULL;

-- As auth.ExpiringAt.
UPDATE tokens SET expiring_at = expires_at - least(604800000000, (expires_at - created_at) / 2)
WHERE expires_at > CAST(extract(epoch FROM now()) * 1000000 AS BIGINT);

-- +goose Down
DROP INDEX tokens_by_expiring;
ALTER TABLE tokens DROP COLUMN expiring_at;
