-- +goose Up

-- Soon after it was added, an entry gets its position in a chain: docs/sql.md says what
-- its hash is of, and `specterd audit verify` looks whether all is as it was.
ALTER TABLE audit ADD COLUMN chain_position INTEGER; -- from 1 on; NULL until then
ALTER TABLE audit ADD COLUMN previous_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX audit_chain ON audit (chain_position);
CREATE INDEX audit_unsealed ON audit (audit_id) WHERE chain_position IS NULL;

CREATE VIEW v_audit AS
SELECT
  a.audit_id,
  strftime('%Y-%m-%dT%H:%M:%SZ', a.at / 1000000, 'unixepoch') AS at,
  a.user_name,
  a.token_id,
  a.address,
  a.action,
  a.target,
  a.outcome,
  a.detail,
  a.chain_position,
  a.previous_hash,
  a.hash
FROM audit AS a;

-- +goose Down
DROP VIEW v_audit;
DROP INDEX audit_unsealed;
DROP INDEX audit_chain;
ALTER TABLE audit DROP COLUMN hash;
ALTER TABLE audit DROP COLUMN previous_hash;
ALTER TABLE audit DROP COLUMN chain_position;
