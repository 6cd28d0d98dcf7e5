-- +goose Up

-- Proposals are brought along, too.
CREATE TABLE new_imports (
  kind       TEXT    NOT NULL CHECK (kind IN ('user', 'token', 'wallet', 'psbt')),
  origin     TEXT    NOT NULL, -- what it is where it comes from
  id         TEXT    NOT NULL, -- what it became here
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, origin)
) STRICT;
INSERT INTO new_imports (kind, origin, id, created_at) SELECT kind, origin, id, created_at FROM imports;
DROP TABLE imports;
ALTER TABLE new_imports RENAME TO imports;

-- Those that were made elsewhere may have one change address, as Specter Desktop
-- gives the same to several.
ALTER TABLE psbts ADD COLUMN imported INTEGER NOT NULL DEFAULT FALSE CHECK (imported IN (0, 1));
DROP INDEX psbts_by_change;
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;

-- +goose Down
DROP INDEX psbts_by_change;
UPDATE psbts SET change_index = NULL WHERE imported;
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete');
ALTER TABLE psbts DROP COLUMN imported;
CREATE TABLE old_imports (
  kind       TEXT    NOT NULL CHECK (kind IN ('user', 'token', 'wallet')),
  origin     TEXT    NOT NULL, -- what it is where it comes from
  id         TEXT    NOT NULL, -- what it became here
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, origin)
) STRICT;
INSERT INTO old_imports (kind, origin, id, created_at) SELECT kind, origin, id, created_at FROM imports WHERE kind <> 'psbt';
DROP TABLE imports;
ALTER TABLE old_imports RENAME TO imports;
