-- +goose Up

-- Cancelled, expired and replaced proposals have no signatures: those who may read
-- them must not be able to send them. What is in their PSBTs is removed at the next
-- start, which the setting asks for.
UPDATE psbts SET raw = NULL WHERE status IN ('cancelled', 'expired', 'replaced');
INSERT INTO settings (name, value)
SELECT 'drop_signatures', 'due' WHERE EXISTS (SELECT 1 FROM psbts WHERE status IN ('cancelled', 'expired', 'replaced'));

-- +goose Down
DELETE FROM settings WHERE name = 'drop_signatures';
