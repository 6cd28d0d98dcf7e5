-- +goose Up

-- Addresses of users to which events are sent. Deleting a row ends its deliveries.
CREATE TABLE webhooks (
  webhook_id      TEXT PRIMARY KEY,
  user_id         TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  token_id        TEXT NOT NULL, -- the token that created it, which must be valid; empty for a password
  scopes          TEXT NOT NULL, -- of the creator; deliveries need the scopes of the moment as well
  description     TEXT NOT NULL,
  url             TEXT NOT NULL,
  host            TEXT NOT NULL, -- of the url, with its port
  wallet_ids      TEXT, -- separated by spaces; NULL for all
  kinds           TEXT, -- kinds and groups of kinds, separated by commas; NULL for all
  ordering        TEXT NOT NULL CHECK (ordering IN ('wallet', 'none')),
  events_until    INTEGER NOT NULL, -- all events up to this position in the log have deliveries
  created_at      INTEGER NOT NULL,
  failing_since   INTEGER, -- the first failure since the last success
  disabled_at     INTEGER,
  disabled_reason TEXT NOT NULL DEFAULT '',
  UNIQUE (user_id, description)
) STRICT;

-- The keys that sign messages. They are not in backups.
CREATE TABLE webhook_secrets (
  webhook_id TEXT NOT NULL REFERENCES webhooks (webhook_id) ON DELETE CASCADE,
  secret     TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  retires_at INTEGER, -- NULL for the current one
  PRIMARY KEY (webhook_id, secret)
) STRICT, WITHOUT ROWID;

-- Events for a webhook. The event may be deleted before its delivery.
CREATE TABLE deliveries (
  delivery_id  TEXT PRIMARY KEY, -- in the header webhook-id
  webhook_id   TEXT NOT NULL REFERENCES webhooks (webhook_id) ON DELETE CASCADE,
  seq          INTEGER NOT NULL, -- of the event
  wallet_id    TEXT NOT NULL, -- of the event; empty for an event of the user
  n            INTEGER NOT NULL, -- of the event
  kind         TEXT NOT NULL,
  event_at     INTEGER NOT NULL,
  queue        TEXT NOT NULL, -- deliveries of a webhook with the same queue are made one after the other
  status       TEXT NOT NULL CHECK (status IN ('pending', 'delivered', 'failed', 'skipped')),
  reason       TEXT NOT NULL DEFAULT '', -- why it was skipped
  attempts     INTEGER NOT NULL DEFAULT 0, -- rows in delivery_attempts
  failures     INTEGER NOT NULL DEFAULT 0, -- since it has been pending
  next_at      INTEGER, -- of the next attempt; NULL while it waits behind another, and afterwards
  lease_until  INTEGER NOT NULL DEFAULT 0, -- until then, another process makes the attempt
  lease_holder TEXT NOT NULL DEFAULT '',
  status_at    INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_by_event ON deliveries (webhook_id, seq);
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE status = 'pending' AND next_at IS NOT NULL;
CREATE INDEX deliveries_queued ON deliveries (webhook_id, queue, seq) WHERE status = 'pending';
CREATE INDEX deliveries_by_status ON deliveries (webhook_id, status, seq);
CREATE INDEX deliveries_ended ON deliveries (status_at) WHERE status <> 'pending';

CREATE TABLE delivery_attempts (
  delivery_id TEXT NOT NULL REFERENCES deliveries (delivery_id) ON DELETE CASCADE,
  number      INTEGER NOT NULL, -- from 1
  at          INTEGER NOT NULL,
  took        INTEGER, -- microseconds; NULL until it has ended
  http_status INTEGER, -- of the response; NULL without one
  error       TEXT NOT NULL DEFAULT '',
  excerpt     TEXT NOT NULL DEFAULT '', -- of the response
  PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

-- As users_take_tokens_along: for shells without foreign keys.
-- +goose StatementBegin
CREATE TRIGGER users_take_webhooks_along AFTER DELETE ON users
BEGIN
  DELETE FROM webhooks WHERE user_id = OLD.user_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER webhooks_take_deliveries_along AFTER DELETE ON webhooks
BEGIN
  DELETE FROM webhook_secrets WHERE webhook_id = OLD.webhook_id;
  DELETE FROM deliveries WHERE webhook_id = OLD.webhook_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER deliveries_take_attempts_along AFTER DELETE ON deliveries
BEGIN
  DELETE FROM delivery_attempts WHERE delivery_id = OLD.delivery_id;
END;
-- +goose StatementEnd

CREATE VIEW v_webhooks AS
SELECT
  w.webhook_id,
  u.name AS user_name,
  w.token_id,
  w.description,
  w.host,
  w.wallet_ids,
  w.kinds,
  w.ordering,
  w.scopes,
  CASE WHEN w.disabled_at IS NULL THEN 'active' ELSE 'disabled' END AS status,
  w.disabled_reason,
  strftime('%Y-%m-%dT%H:%M:%SZ', w.disabled_at / 1000000, 'unixepoch') AS disabled_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', w.failing_since / 1000000, 'unixepoch') AS failing_since,
  strftime('%Y-%m-%dT%H:%M:%SZ', w.created_at / 1000000, 'unixepoch') AS created_at,
  (SELECT count(*) FROM deliveries AS d WHERE d.webhook_id = w.webhook_id AND d.status = 'pending') AS pending
FROM webhooks AS w JOIN users AS u ON u.user_id = w.user_id;

CREATE VIEW v_deliveries AS
SELECT
  d.delivery_id,
  d.webhook_id,
  u.name AS user_name,
  d.wallet_id,
  d.n,
  d.kind,
  strftime('%Y-%m-%dT%H:%M:%SZ', d.event_at / 1000000, 'unixepoch') AS event_at,
  d.status,
  d.reason,
  d.attempts,
  strftime('%Y-%m-%dT%H:%M:%SZ', d.next_at / 1000000, 'unixepoch') AS next_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', d.status_at / 1000000, 'unixepoch') AS status_at,
  a.http_status AS last_http_status,
  a.error AS last_error
FROM deliveries AS d
JOIN webhooks AS w ON w.webhook_id = d.webhook_id
JOIN users AS u ON u.user_id = w.user_id
LEFT JOIN delivery_attempts AS a ON a.delivery_id = d.delivery_id AND a.number = d.attempts;

-- +goose Down
DROP VIEW v_deliveries;
DROP VIEW v_webhooks;
DROP TRIGGER deliveries_take_attempts_along;
DROP TRIGGER webhooks_take_deliveries_along;
DROP TRIGGER users_take_webhooks_along;
DROP TABLE delivery_attempts;
DROP TABLE deliveries;
DROP TABLE webhook_secrets;
DROP TABLE webhooks;
