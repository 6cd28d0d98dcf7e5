-- +goose Up

-- With 100,000 users, each of these look-ups read all users: at the start, for events of the node, and when an admin is
-- demoted. The addresses of change of a proposal read all proposals of its wallet.
CREATE INDEX users_admins ON users (name_folded) WHERE is_admin;
CREATE INDEX users_default_passwords ON users (user_id) WHERE password_is_default;
CREATE INDEX proposals_change_in_use ON proposals (wallet_id, change_index)
  WHERE change_index IS NOT NULL AND status IN ('awaiting_approval', 'created', 'partially_signed', 'complete', 'broadcast');

-- +goose Down
DROP INDEX proposals_change_in_use;
DROP INDEX users_default_passwords;
DROP INDEX users_admins;
