-- +goose Up

-- Raised whenever the password, the role or the state of a user changes, by a command or in a shell.
-- A request with a password is refused if it has changed since the password was compared.
ALTER TABLE users ADD COLUMN access_version INTEGER NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE TRIGGER users_raise_access_version AFTER UPDATE OF password_hash, is_admin, disabled_at ON users
WHEN OLD.password_hash <> NEW.password_hash OR OLD.is_admin <> NEW.is_admin OR OLD.disabled_at IS NOT NEW.disabled_at
BEGIN
  UPDATE users SET access_version = OLD.access_version + 1 WHERE user_id = NEW.user_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER users_raise_access_version;
ALTER TABLE users DROP COLUMN access_version;
