-- name: HeadEvent :one
SELECT CAST(coalesce(max(seq), 0) AS BIGINT) AS seq FROM events;

-- name: LastEvents :many
SELECT wallet_id, last FROM event_numbers
WHERE wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)));

-- Reserves the next numbers of a wallet that exists, and locks them until the commit.
-- name: RaiseEventNumber :exec
INSERT INTO event_numbers (wallet_id, last)
SELECT w.wallet_id, CAST(@added AS BIGINT) FROM wallets AS w WHERE w.wallet_id = @wallet_id
ON CONFLICT (wallet_id) DO UPDATE SET last = event_numbers.last + excluded.last;

-- name: AddEvent :exec
INSERT INTO events (wallet_id, n, user_id, kind, at, subject, data, actor_id, actor_user, actor_token)
VALUES (@wallet_id, @n, @user_id, @kind, @at, @subject, @data, @actor_id, @actor_user, @actor_token);

-- The state of transactions before a change, with what their events say about them.
-- name: IndexedTransactions :many
SELECT txid, status, block_height, block_hash, category, flow_sat FROM transactions
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: UnusedAmong :many
SELECT branch, address_index FROM addresses
WHERE wallet_id = @wallet_id AND NOT used AND address IN (SELECT value FROM json_each(CAST(@addresses AS TEXT)));

-- name: SetImported :exec
UPDATE wallets SET imported = @imported WHERE wallet_id = @wallet_id;

-- name: AwaitFinal :exec
INSERT INTO awaiting_final (wallet_id, txid, block_height) VALUES (@wallet_id, @txid, @block_height)
ON CONFLICT (wallet_id, txid) DO UPDATE SET block_height = excluded.block_height;

-- The transactions that the synced blocks have made final.
-- name: FinalNow :many
SELECT f.wallet_id, f.txid, f.block_height, t.block_hash, t.category, t.flow_sat
FROM wallets AS w
JOIN awaiting_final AS f ON f.wallet_id = w.wallet_id
JOIN transactions AS t ON t.wallet_id = f.wallet_id AND t.txid = f.txid
WHERE w.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  AND f.block_height <= w.synced_height - w.final_after + 1
ORDER BY f.wallet_id, f.block_height, f.txid;

-- name: StopAwaitingFinal :exec
DELETE FROM awaiting_final WHERE wallet_id = @wallet_id AND txid = @txid;

-- name: AddressesInRange :many
SELECT address, address_index FROM addresses
WHERE wallet_id = @wallet_id AND branch = @branch AND address_index >= @first_index AND address_index < @end_index
ORDER BY address_index;

-- name: WalletIsReady :one
SELECT CAST(stage = 'ready' AS BOOLEAN) AS ready FROM wallets WHERE wallet_id = @wallet_id;

-- name: EventsOfWallet :many
SELECT * FROM events
WHERE wallet_id = CAST(@wallet_id AS TEXT) AND n > CAST(@after AS BIGINT)
  AND (CAST(@any_kind AS BOOLEAN) OR kind IN (SELECT value FROM json_each(CAST(@kinds AS TEXT))))
ORDER BY n
LIMIT CAST(@max_rows AS BIGINT);

-- name: EventBounds :one
SELECT CAST(coalesce(c.last, 0) AS BIGINT) AS last_event,
  CAST(coalesce((SELECT min(e.n) FROM events AS e WHERE e.wallet_id = w.wallet_id), c.last + 1, 1) AS BIGINT) AS first_event
FROM wallets AS w LEFT JOIN event_numbers AS c ON c.wallet_id = w.wallet_id WHERE w.wallet_id = @wallet_id;

-- Those of the wallets that have events after a position.
-- name: WalletsWithEvents :many
SELECT w.wallet_id FROM wallets AS w
WHERE w.wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)))
  AND EXISTS (SELECT 1 FROM events AS e WHERE e.wallet_id = w.wallet_id AND e.seq > @after);

-- name: EventsOfWalletFrom :many
SELECT * FROM events
WHERE wallet_id = CAST(@wallet_id AS TEXT) AND seq > @after AND seq <= @until
  AND (CAST(@any_kind AS BOOLEAN) OR kind IN (SELECT value FROM json_each(CAST(@kinds AS TEXT))))
ORDER BY seq
LIMIT CAST(@max_rows AS BIGINT);

-- name: EventsOfUserFrom :many
SELECT * FROM events
WHERE user_id = CAST(@user_id AS TEXT) AND seq > @after AND seq <= @until
  AND (CAST(@any_kind AS BOOLEAN) OR kind IN (SELECT value FROM json_each(CAST(@kinds AS TEXT))))
ORDER BY seq
LIMIT CAST(@max_rows AS BIGINT);

-- What woke whom: for each of the next events, the wallet or the user. New members of a wallet
-- do not wait for its events yet, so that they are targets themselves.
-- name: EventTargets :many
SELECT e.seq, e.wallet_id, CAST(coalesce(e.user_id, m.user_id, '') AS TEXT) AS user_id
FROM (SELECT seq, wallet_id, user_id, kind FROM events WHERE seq > @after ORDER BY seq LIMIT CAST(@max_rows AS BIGINT)) AS e
LEFT JOIN members AS m ON m.wallet_id = e.wallet_id AND e.kind IN ('member.added', 'wallet.created')
ORDER BY e.seq;

-- Deleted rows may still be in the index, and the condition avoids to step over them.
-- name: OldestEvents :many
SELECT seq, at FROM events WHERE seq > @pruned ORDER BY seq LIMIT CAST(@max_rows AS BIGINT);

-- name: DeleteEvents :exec
DELETE FROM events WHERE seq <= @until;

-- name: PutSetting :exec
INSERT INTO settings (name, value) VALUES (@name, @value)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: TokenNamesOfUser :many
SELECT token_id, description FROM tokens WHERE user_id = @user_id ORDER BY created_at, token_id;

-- The tokens that are deleted with those of a signing key: their descendants and successors.
-- name: TokensEndingWithKey :many
WITH RECURSIVE steps (from_id, to_id) AS (
  SELECT t.parent_id, t.token_id FROM tokens AS t WHERE t.parent_id IS NOT NULL
  UNION ALL
  SELECT r.predecessor_id, r.successor_id FROM rotations AS r
), family (id) AS (
  SELECT t.token_id FROM tokens AS t WHERE t.signing_key = @fingerprint
  UNION
  SELECT steps.to_id FROM steps JOIN family ON steps.from_id = family.id
)
SELECT t.user_id, t.token_id, t.description
FROM tokens AS t JOIN family ON family.id = t.token_id
ORDER BY t.user_id, t.created_at, t.token_id;

-- Those of the txids that are transactions of proposals.
-- name: ProposedAmong :many
SELECT txid FROM proposals
WHERE wallet_id = @wallet_id AND txid IN (SELECT value FROM json_each(CAST(@txids AS TEXT)));

-- name: ImportedOf :one
SELECT imported FROM wallets WHERE wallet_id = @wallet_id;

-- Recent transactions of an imported history, which will be final.
-- name: AwaitFinalAbove :exec
INSERT INTO awaiting_final (wallet_id, txid, block_height)
SELECT t.wallet_id, t.txid, t.block_height FROM transactions AS t
WHERE t.wallet_id = @wallet_id AND t.status = 'confirmed' AND t.block_height > @height
ON CONFLICT (wallet_id, txid) DO NOTHING;
