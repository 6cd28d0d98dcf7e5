-- name: PutLabel :exec
INSERT INTO labels (wallet_id, type, ref, label, origin) VALUES (@wallet_id, @type, @ref, @label, @origin)
ON CONFLICT (wallet_id, type, ref) DO UPDATE SET label = excluded.label, origin = excluded.origin;

-- name: DeleteLabel :exec
DELETE FROM labels WHERE wallet_id = @wallet_id AND type = @type AND ref = @ref;

-- name: Labels :many
SELECT type, ref, label, origin FROM labels
WHERE wallet_id = @wallet_id AND type >= @after_type AND (type > @after_type OR ref > @after_ref)
ORDER BY type, ref
LIMIT CAST(@max_rows AS BIGINT);

-- name: LabelsAmong :many
SELECT ref, label FROM labels
WHERE wallet_id = @wallet_id AND type = @type AND ref IN (SELECT value FROM json_each(CAST(@refs AS TEXT)));
