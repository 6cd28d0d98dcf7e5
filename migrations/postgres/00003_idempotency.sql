-- +goose Up

-- What was answered to requests with an Idempotency-Key, for a day. While a
-- request is under way its row has no answer.
CREATE TABLE idempotency (
  user_id         TEXT    NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
  route           TEXT    NOT NULL, -- such as POST /api/v1/wallets
  idempotency_key TEXT    NOT NULL,
  fingerprint     BYTEA   NOT NULL, -- SHA-256 of what was asked for
  claim_id        TEXT    NOT NULL, -- of the request that has the key
  claimed_at      BIGINT  NOT NULL,
  status          BIGINT,           -- of the answer, as is body
  body            BYTEA,
  PRIMARY KEY (user_id, route, idempotency_key)
);
CREATE INDEX idempotency_by_time ON idempotency (claimed_at);

-- +goose Down
DROP TABLE idempotency;
