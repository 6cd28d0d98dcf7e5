-- name: Setting :one
SELECT value FROM settings WHERE name = @name;

-- name: PutSettingOnce :execrows
INSERT INTO settings (name, value) VALUES (@name, @value)
ON CONFLICT (name) DO NOTHING;

-- name: TouchSettings :exec
UPDATE settings SET value = value;

-- name: DeleteSetting :exec
DELETE FROM settings WHERE name = @name;
