-- +goose Up

-- Raised whenever the password, the role or the state of a user changes, by a command or in a shell.
-- A request with a password is refused if it has changed since the password was compared.
ALTER TABLE users ADD COLUMN access_version BIGINT NOT NULL DEFAULT 0;

-- +goose StatementBegin
CREATE FUNCTION raise_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.access_version := OLD.access_version + 1;
  RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER users_raise_access_version BEFORE UPDATE OF password_hash, is_admin, disabled_at ON users
FOR EACH ROW
WHEN (OLD.password_hash <> NEW.password_hash OR OLD.is_admin <> NEW.is_admin OR OLD.disabled_at IS DISTINCT FROM NEW.disabled_at)
EXECUTE FUNCTION raise_access_version();

-- +goose Down
DROP TRIGGER users_raise_access_version ON users;
DROP FUNCTION raise_access_version();
ALTER TABLE users DROP COLUMN access_version;
