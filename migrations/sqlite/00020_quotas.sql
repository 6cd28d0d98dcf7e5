-- +goose Up

-- The limits that an admin set for this user, such as tokens=5,wallets=10; the server's setting counts for all others.
ALTER TABLE users ADD COLUMN quotas TEXT NOT NULL DEFAULT '';
-- Who requested the rescan that is queued or was the last.
ALTER TABLE wallets ADD COLUMN scan_user TEXT NOT NULL DEFAULT '';

-- How many rows there are at most, so that not every insert has to count them. Deletions need not be subtracted:
-- before an insert is refused, the rows are counted.
CREATE TABLE quota_use (
  subject_id TEXT NOT NULL, -- a user_id or wallet_id, as the quota has it
  quota      TEXT NOT NULL,
  used       INTEGER NOT NULL,
  PRIMARY KEY (subject_id, quota)
) STRICT, WITHOUT ROWID;
INSERT INTO quota_use (subject_id, quota, used) SELECT wallet_id, 'labels', count(*) FROM labels GROUP BY wallet_id;
INSERT INTO quota_use (subject_id, quota, used) SELECT wallet_id, 'frozen_utxos', count(*) FROM frozen GROUP BY wallet_id;

CREATE INDEX wallets_by_scan_user ON wallets (scan_user) WHERE scan_from IS NOT NULL;
CREATE INDEX psbts_open_by_user ON psbts (user_id) WHERE status IN ('created', 'partially_signed', 'complete');
CREATE INDEX idempotency_by_user ON idempotency (user_id, claimed_at);

-- +goose Down
DROP INDEX idempotency_by_user;
DROP INDEX psbts_open_by_user;
DROP INDEX wallets_by_scan_user;
DROP TABLE quota_use;
ALTER TABLE wallets DROP COLUMN scan_user;
ALTER TABLE users DROP COLUMN quotas;
