-- +goose Up

-- The process that does some work which only one process may do at a time. It holds the lease
-- until the given time, and renews it before.
CREATE TABLE leases (
  name   TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until  BIGINT NOT NULL
);

-- +goose Down
DROP TABLE leases;
