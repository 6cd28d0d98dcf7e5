-- name: ImportedAs :one
SELECT id FROM imports WHERE kind = @kind AND origin = @origin;

-- name: AddImport :exec
INSERT INTO imports (kind, origin, id, created_at) VALUES (@kind, @origin, @id, @created_at);
