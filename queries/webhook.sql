-- name: AddWebhook :exec
INSERT INTO webhooks (webhook_id, user_id, token_id, scopes, description, url, host, wallet_ids, kinds, ordering, events_until, created_at)
VALUES (@webhook_id, @user_id, @token_id, @scopes, @description, @url, @host, @wallet_ids, @kinds, @ordering, @events_until, @created_at);

-- name: WebhookOfUser :one
SELECT * FROM webhooks WHERE webhook_id = @webhook_id AND user_id = @user_id;

-- name: WebhookByID :one
SELECT * FROM webhooks WHERE webhook_id = @webhook_id;

-- name: WebhooksOfUser :many
SELECT * FROM webhooks
WHERE user_id = @user_id AND (CAST(@any_token AS BOOLEAN) OR token_id = @token_id)
  AND (created_at > @after_time OR (created_at = @after_time AND webhook_id > @after_id))
ORDER BY created_at, webhook_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: AllWebhooks :many
SELECT sqlc.embed(w), u.name AS user_name
FROM webhooks AS w JOIN users AS u ON u.user_id = w.user_id
WHERE u.name_folded = @name_folded OR CAST(@every_user AS BOOLEAN)
ORDER BY u.name_folded, w.created_at, w.webhook_id;

-- name: OwnerOfWebhook :one
SELECT user_id FROM webhooks WHERE webhook_id = @webhook_id;

-- Returns the row and locks it until the transaction ends, on both databases. A transaction
-- that adds deliveries or changes their status begins with it.
-- name: HoldWebhook :one
UPDATE webhooks SET events_until = events_until WHERE webhook_id = @webhook_id RETURNING *;

-- name: UpdateWebhook :exec
UPDATE webhooks SET token_id = @token_id, scopes = @scopes, description = @description, url = @url, host = @host,
  wallet_ids = @wallet_ids, kinds = @kinds, ordering = @ordering, failing_since = @failing_since,
  disabled_at = @disabled_at, disabled_reason = @disabled_reason
WHERE webhook_id = @webhook_id;

-- name: DeleteWebhook :exec
DELETE FROM webhooks WHERE webhook_id = @webhook_id;

-- name: CountWebhooksOfUser :one
SELECT count(*) FROM webhooks WHERE user_id = @user_id;

-- A rotated token's webhooks continue with its successor.
-- name: MoveWebhooks :exec
UPDATE webhooks SET token_id = @successor_id WHERE token_id = @predecessor_id AND user_id = @user_id;

-- name: ActiveWebhooksOfUser :many
SELECT * FROM webhooks WHERE user_id = @user_id AND disabled_at IS NULL ORDER BY created_at, webhook_id;

-- name: ActiveWebhooks :many
SELECT * FROM webhooks WHERE disabled_at IS NULL ORDER BY created_at, webhook_id;

-- Active webhooks whose user was disabled, or whose token was deleted or has expired.
-- name: WebhooksWithoutAccess :many
SELECT w.webhook_id, CAST(u.disabled_at IS NOT NULL AS BOOLEAN) AS user_disabled, CAST(t.token_id IS NOT NULL AS BOOLEAN) AS token_exists
FROM webhooks AS w
JOIN users AS u ON u.user_id = w.user_id
LEFT JOIN tokens AS t ON t.token_id = w.token_id AND t.user_id = w.user_id
WHERE w.disabled_at IS NULL
  AND (u.disabled_at IS NOT NULL OR (w.token_id <> '' AND (t.token_id IS NULL OR t.expires_at <= @now)));

-- name: AddWebhookSecret :exec
INSERT INTO webhook_secrets (webhook_id, secret, created_at) VALUES (@webhook_id, @secret, @created_at);

-- name: RetireWebhookSecrets :exec
UPDATE webhook_secrets SET retires_at = @retires_at WHERE webhook_id = @webhook_id AND retires_at IS NULL;

-- name: DeleteRetiredSecrets :exec
DELETE FROM webhook_secrets WHERE webhook_id = @webhook_id AND retires_at IS NOT NULL;

-- name: DeleteSecretsRetiredBefore :exec
DELETE FROM webhook_secrets WHERE retires_at <= @now;

-- name: WebhookSecrets :many
SELECT * FROM webhook_secrets
WHERE webhook_id = @webhook_id AND (retires_at IS NULL OR retires_at > @now)
ORDER BY created_at DESC, secret;

-- name: UsersOfWallets :many
SELECT DISTINCT user_id FROM members WHERE wallet_id IN (SELECT value FROM json_each(CAST(@wallet_ids AS TEXT)));

-- name: AdvanceWebhook :execrows
UPDATE webhooks SET events_until = @events_until
WHERE webhook_id = @webhook_id AND events_until = @expected AND disabled_at IS NULL;

-- name: FirstPending :many
SELECT queue, CAST(min(seq) AS BIGINT) AS first_seq FROM deliveries
WHERE webhook_id = @webhook_id AND status = 'pending' AND queue IN (SELECT value FROM json_each(CAST(@queues AS TEXT)))
GROUP BY queue;

-- name: CountPending :one
SELECT count(*) FROM deliveries WHERE webhook_id = @webhook_id AND status = 'pending';

-- name: AddDelivery :execrows
INSERT INTO deliveries (delivery_id, webhook_id, seq, wallet_id, n, kind, event_at, queue, status, next_at, status_at)
VALUES (@delivery_id, @webhook_id, @seq, @wallet_id, @n, @kind, @event_at, @queue, 'pending', @next_at, @status_at)
ON CONFLICT (delivery_id) DO NOTHING;

-- name: DeliveriesAreDue :one
SELECT CAST(EXISTS (
  SELECT 1 FROM deliveries AS d JOIN webhooks AS w ON w.webhook_id = d.webhook_id
  WHERE d.status = 'pending' AND d.next_at <= @now AND d.lease_until <= @now AND w.disabled_at IS NULL
) AS BOOLEAN) AS due;

-- Leases due deliveries that no earlier one of their queue precedes. Those that are leased
-- already count among the most for a host and for a user.
-- name: ClaimDeliveries :many
UPDATE deliveries SET lease_until = @until, lease_holder = @holder, attempts = attempts + 1
WHERE deliveries.status = 'pending' AND deliveries.lease_until <= @now AND deliveries.delivery_id IN (
  SELECT due.delivery_id
  FROM (
    SELECT d.delivery_id, d.next_at, d.lease_until,
      row_number() OVER (PARTITION BY w.host ORDER BY CASE WHEN d.lease_until > @now THEN 0 ELSE 1 END, d.next_at, d.seq) AS of_host,
      row_number() OVER (PARTITION BY w.user_id ORDER BY CASE WHEN d.lease_until > @now THEN 0 ELSE 1 END, d.next_at, d.seq) AS of_user
    FROM deliveries AS d JOIN webhooks AS w ON w.webhook_id = d.webhook_id
    WHERE d.status = 'pending' AND d.next_at <= @now AND w.disabled_at IS NULL
      AND NOT EXISTS (
        SELECT 1 FROM deliveries AS p
        WHERE p.webhook_id = d.webhook_id AND p.queue = d.queue AND p.status = 'pending' AND p.seq < d.seq
      )
  ) AS due
  WHERE due.of_host <= CAST(@per_host AS BIGINT) AND due.of_user <= CAST(@per_user AS BIGINT) AND due.lease_until <= @now
  ORDER BY due.next_at
  LIMIT CAST(@max_rows AS BIGINT)
)
RETURNING *;

-- name: AddAttempt :exec
INSERT INTO delivery_attempts (delivery_id, number, at) VALUES (@delivery_id, @number, @at);

-- name: EndAttempt :exec
UPDATE delivery_attempts SET took = @took, http_status = @http_status, error = @error, excerpt = @excerpt
WHERE delivery_id = @delivery_id AND number = @number;

-- name: DeleteAttempt :exec
DELETE FROM delivery_attempts WHERE delivery_id = @delivery_id AND number = @number;

-- name: DeliveryByID :one
SELECT * FROM deliveries WHERE delivery_id = @delivery_id;

-- name: EventAt :one
SELECT * FROM events WHERE seq = @seq;

-- Saves the result of an attempt, unless another process has taken over the delivery.
-- name: EndDelivery :execrows
UPDATE deliveries SET status = @status, reason = @reason, attempts = @attempts, failures = @failures, next_at = @next_at,
  lease_until = 0, lease_holder = '', status_at = @status_at
WHERE delivery_id = @delivery_id AND lease_holder = @lease_holder;

-- Makes the first delivery of a queue due.
-- name: PromoteDelivery :exec
UPDATE deliveries SET next_at = @now
WHERE deliveries.next_at IS NULL AND deliveries.delivery_id = (
  SELECT p.delivery_id FROM deliveries AS p
  WHERE p.webhook_id = @webhook_id AND p.queue = @queue AND p.status = 'pending'
  ORDER BY p.seq LIMIT 1
);

-- Makes the first deliveries of all queues due that wait for none: after a row was deleted
-- outside of specterd.
-- name: PromoteDeliveries :exec
UPDATE deliveries SET next_at = @now
WHERE deliveries.status = 'pending' AND deliveries.next_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM deliveries AS p
  WHERE p.webhook_id = deliveries.webhook_id AND p.queue = deliveries.queue AND p.status = 'pending' AND p.seq < deliveries.seq
);

-- Puts all pending deliveries of a webhook into their queues again, and makes the first of
-- each due.
-- name: RequeueDeliveries :exec
UPDATE deliveries SET failures = 0, queue = CASE WHEN CAST(@in_order AS BOOLEAN) THEN wallet_id ELSE delivery_id END,
  next_at = CASE WHEN CAST(@in_order AS BOOLEAN) AND EXISTS (
    SELECT 1 FROM deliveries AS p
    WHERE p.webhook_id = deliveries.webhook_id AND p.wallet_id = deliveries.wallet_id AND p.status = 'pending' AND p.seq < deliveries.seq
  ) THEN NULL ELSE CAST(@now AS BIGINT) END
WHERE deliveries.webhook_id = @webhook_id AND deliveries.status = 'pending';

-- name: RecoverDeliveries :execrows
UPDATE deliveries SET status = 'pending', reason = '', status_at = @now
WHERE webhook_id = @webhook_id AND status IN ('failed', 'skipped') AND event_at >= @since;

-- name: LastEventBefore :one
SELECT seq FROM events WHERE at < @since ORDER BY seq DESC LIMIT 1;

-- name: SetEventsUntil :exec
UPDATE webhooks SET events_until = @events_until WHERE webhook_id = @webhook_id;

-- name: RedeliverNow :exec
UPDATE deliveries SET status = 'pending', reason = '', failures = 0, queue = @queue, next_at = @now, status_at = @now
WHERE delivery_id = @delivery_id;

-- A delivery with the one that it waits for, if there is one.
-- name: DeliveryOfWebhook :one
SELECT sqlc.embed(d), CAST(coalesce(h.delivery_id, '') AS TEXT) AS behind, CAST(coalesce(h.status_at, 0) AS BIGINT) AS behind_since
FROM deliveries AS d
LEFT JOIN deliveries AS h ON d.status = 'pending' AND h.delivery_id = (
  SELECT p.delivery_id FROM deliveries AS p
  WHERE p.webhook_id = d.webhook_id AND p.queue = d.queue AND p.status = 'pending' AND p.seq < d.seq
  ORDER BY p.seq LIMIT 1
)
WHERE d.webhook_id = @webhook_id AND d.delivery_id = @delivery_id;

-- name: DeliveriesOfWebhook :many
SELECT sqlc.embed(d), CAST(coalesce(h.delivery_id, '') AS TEXT) AS behind, CAST(coalesce(h.status_at, 0) AS BIGINT) AS behind_since
FROM deliveries AS d
LEFT JOIN deliveries AS h ON d.status = 'pending' AND h.delivery_id = (
  SELECT p.delivery_id FROM deliveries AS p
  WHERE p.webhook_id = d.webhook_id AND p.queue = d.queue AND p.status = 'pending' AND p.seq < d.seq
  ORDER BY p.seq LIMIT 1
)
WHERE d.webhook_id = @webhook_id AND (CAST(@any_status AS BOOLEAN) OR d.status = @status)
  AND (CAST(@from_start AS BOOLEAN) OR d.seq < (SELECT c.seq FROM deliveries AS c WHERE c.webhook_id = @webhook_id AND c.delivery_id = @after_id))
ORDER BY d.seq DESC
LIMIT CAST(@max_rows AS BIGINT);

-- name: AttemptsOfDelivery :many
SELECT * FROM delivery_attempts WHERE delivery_id = @delivery_id ORDER BY number;

-- name: LastAttempts :many
SELECT a.* FROM delivery_attempts AS a
JOIN deliveries AS d ON d.delivery_id = a.delivery_id AND d.attempts = a.number
WHERE d.delivery_id IN (SELECT value FROM json_each(CAST(@delivery_ids AS TEXT)));

-- name: DeleteOldDeliveries :execrows
DELETE FROM deliveries WHERE delivery_id IN (
  SELECT d.delivery_id FROM deliveries AS d
  WHERE d.status <> 'pending' AND d.status_at < @before AND d.event_at < @before
  LIMIT CAST(@max_rows AS BIGINT)
);

-- name: WebhookStats :one
SELECT
  (SELECT count(*) FROM webhooks AS a WHERE a.disabled_at IS NULL) AS active,
  (SELECT count(*) FROM webhooks AS b WHERE b.disabled_at IS NOT NULL AND b.disabled_reason <> 'user') AS disabled,
  (SELECT count(*) FROM webhooks AS f WHERE f.disabled_at IS NULL AND f.failing_since IS NOT NULL) AS failing,
  count(*) AS pending,
  CAST(coalesce(min(d.event_at), 0) AS BIGINT) AS oldest
FROM deliveries AS d JOIN webhooks AS w ON w.webhook_id = d.webhook_id
WHERE d.status = 'pending' AND w.disabled_at IS NULL;

-- What a restore does: the events may have been sent after the backup.
-- name: DisableAllWebhooks :exec
UPDATE webhooks SET disabled_at = @now, disabled_reason = @reason, failing_since = NULL,
  events_until = (SELECT coalesce(max(e.seq), 0) FROM events AS e);

-- name: SkipPendingDeliveries :exec
UPDATE deliveries SET status = 'skipped', reason = @reason, next_at = NULL, lease_until = 0, lease_holder = '', status_at = @now
WHERE status = 'pending';
