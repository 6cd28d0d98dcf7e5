-- +goose Up

-- Proposals are brought along, too.
ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('user', 'token', 'wallet', 'psbt'));

-- Those that were made elsewhere may have one change address, as Specter Desktop
-- gives the same to several.
ALTER TABLE psbts ADD COLUMN imported BOOLEAN NOT NULL DEFAULT FALSE;
DROP INDEX psbts_by_change;
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete') AND NOT imported;

-- +goose Down
DROP INDEX psbts_by_change;
UPDATE psbts SET change_index = NULL WHERE imported;
CREATE UNIQUE INDEX psbts_by_change ON psbts (wallet_id, change_index) WHERE status IN ('created', 'partially_signed', 'complete');
ALTER TABLE psbts DROP COLUMN imported;
DELETE FROM imports WHERE kind = 'psbt';
ALTER TABLE imports DROP CONSTRAINT imports_kind_check;
ALTER TABLE imports ADD CONSTRAINT imports_kind_check CHECK (kind IN ('user', 'token', 'wallet'));
