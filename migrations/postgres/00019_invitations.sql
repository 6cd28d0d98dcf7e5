-- +goose Up

-- Offers to become a member of a wallet. Only the user with user_id can accept one. It is
-- NULL if no user had this name when the invitation was created, and after that user was
-- deleted; the owners of the wallet cannot tell.
CREATE TABLE invitations (
  invitation_id TEXT    NOT NULL PRIMARY KEY,
  wallet_id     TEXT    NOT NULL REFERENCES wallets (wallet_id) ON DELETE CASCADE,
  user_id       TEXT    REFERENCES users (user_id) ON DELETE SET NULL,
  user_name     TEXT    NOT NULL, -- as it was typed
  name_folded   TEXT    NOT NULL,
  role          TEXT    NOT NULL CHECK (role IN ('viewer', 'proposer', 'signer', 'owner')),
  invited_by    TEXT    NOT NULL, -- a user_id
  created_at    BIGINT  NOT NULL,
  expires_at    BIGINT  NOT NULL,
  UNIQUE (wallet_id, name_folded),
  FOREIGN KEY (wallet_id, invited_by) REFERENCES members (wallet_id, user_id) ON DELETE CASCADE
);
CREATE INDEX invitations_by_user ON invitations (user_id);
CREATE INDEX invitations_by_inviter ON invitations (invited_by, wallet_id);

-- The wallet that a user used an alias for last, which may be gone. Only the user can
-- make an alias lead to another wallet.
CREATE TABLE used_aliases (
  user_id   TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  alias     TEXT NOT NULL,
  wallet_id TEXT NOT NULL,
  PRIMARY KEY (user_id, alias)
);
INSERT INTO used_aliases (user_id, alias, wallet_id)
SELECT m.user_id, m.alias, m.wallet_id FROM members AS m JOIN wallets AS w ON w.wallet_id = m.wallet_id WHERE w.stage <> 'creating';

CREATE VIEW v_invitations AS
SELECT
  i.invitation_id,
  i.wallet_id,
  w.name AS wallet_name,
  i.user_name,
  i.user_id,
  i.role,
  b.name AS invited_by,
  to_char(to_timestamp(i.created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS created_at,
  to_char(to_timestamp(i.expires_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS expires_at
FROM invitations AS i
JOIN wallets AS w ON w.wallet_id = i.wallet_id
JOIN users AS b ON b.user_id = i.invited_by;

-- +goose Down
DROP VIEW v_invitations;
DROP TABLE used_aliases;
DROP TABLE invitations;
