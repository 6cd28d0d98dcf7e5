-- Takes a lease that has ended, or renews the holder's own. A lease that ends after latest
-- was taken by a process with a wrong clock.
-- name: TakeLease :execrows
INSERT INTO leases (name, holder, until) VALUES (@name, @holder, @until)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until <= @now OR leases.until > @latest;

-- name: ReleaseLease :exec
DELETE FROM leases WHERE name = @name AND holder = @holder;
