-- +goose Up

-- The payments that a replacement evicts, as of when it was made: a JSON array.
ALTER TABLE psbts ADD COLUMN evicts TEXT NOT NULL DEFAULT '[]';

-- A payment that was sent by other software had no transaction, and one that was sent
-- and then replaced did not name its replacement.
UPDATE psbts SET
  raw = (SELECT t.raw FROM transactions AS t WHERE t.wallet_id = psbts.wallet_id AND t.txid = psbts.final_txid),
  vsize = (SELECT t.vsize FROM transactions AS t WHERE t.wallet_id = psbts.wallet_id AND t.txid = psbts.final_txid),
  version = version + 1
WHERE raw IS NULL AND status IN ('broadcast', 'confirmed')
  AND EXISTS (SELECT 1 FROM transactions AS t WHERE t.wallet_id = psbts.wallet_id AND t.txid = psbts.final_txid);
UPDATE psbts SET
  replaced_by = (SELECT max(r.psbt_id) FROM psbts AS r WHERE r.replaces_id = psbts.psbt_id AND r.status IN ('broadcast', 'confirmed')),
  version = version + 1
WHERE status = 'replaced' AND replaced_by = ''
  AND EXISTS (SELECT 1 FROM psbts AS r WHERE r.replaces_id = psbts.psbt_id AND r.status IN ('broadcast', 'confirmed'));

-- +goose Down
ALTER TABLE psbts DROP COLUMN evicts;
