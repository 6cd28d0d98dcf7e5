-- +goose Up

-- The keys that tokens are signed with, by their fingerprints; the keys themselves
-- are not here. One signs. Those before it are accepted until they are dropped, which
-- they are for ever.
CREATE TABLE signing_keys (
  fingerprint TEXT    NOT NULL PRIMARY KEY,
  created_at  INTEGER NOT NULL,
  retired_at  INTEGER, -- since when another one signs
  dropped_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX signing_keys_one_signs ON signing_keys ((retired_at IS NULL)) WHERE retired_at IS NULL;

INSERT INTO signing_keys (fingerprint, created_at)
SELECT key.value, 1000000 * CAST(strftime('%s', coalesce((SELECT value FROM settings WHERE name = 'first_start'), 'now')) AS INTEGER)
FROM settings AS key WHERE key.name = 'signing_key_fingerprint';
DELETE FROM settings WHERE name = 'signing_key_fingerprint';

-- NULL for those that were imported: of their signatures nothing is known.
ALTER TABLE tokens ADD COLUMN signing_key TEXT;
UPDATE tokens SET signing_key = (SELECT fingerprint FROM signing_keys) WHERE NOT imported;

-- +goose Down
ALTER TABLE tokens DROP COLUMN signing_key;
INSERT INTO settings (name, value)
SELECT 'signing_key_fingerprint', fingerprint FROM signing_keys WHERE retired_at IS NULL;
DROP TABLE signing_keys;
