package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"sync"
	"time"
)

const (
	// leadLock is the key of the advisory lock (pg_advisory_lock), which is per database.
	leadLock = 0x73706563746572 // "specter"
	// leadPoll is the interval at which a process tries to acquire the lock or checks
	// that it still holds it.
	leadPoll = time.Second
	// leadPatience is how long the server may take to respond before the connection
	// counts as broken.
	leadPatience = 3 * time.Second
)

// leadership is the indexer lock, held by the one process that writes the index.
type leadership struct {
	lost    <-chan struct{} // closed when another process may acquire the lock
	release func()
}

// Lead waits until no other process holds the indexer lock, and acquires it. The lock is
// held until release is called, the process ends, or the connection to the database
// breaks, in which case lost is closed. On SQLite it does not wait, since the process
// that holds the serving lock writes the index.
func (s *Store) Lead(ctx context.Context) (lost <-chan struct{}, release func(), err error) {
	l, err := s.engine.lead(ctx, s.rw)
	if err != nil {
		return nil, nil, translate(err)
	}
	return l.lost, l.release, nil
}

// lead acquires an advisory lock, which lasts as long as its dedicated connection:
// https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS.
func (postgresEngine) lead(ctx context.Context, rw *sql.DB) (*leadership, error) {
	conn, err := rw.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("get a connection for the indexer lock: %w", err)
	}
	if err := awaitLeadLock(ctx, conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	holding, stop := context.WithCancel(context.WithoutCancel(ctx)) // ends when release is called, even if ctx has ended before
	lost := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { watchLead(holding, conn, lost) })
	return &leadership{lost: lost, release: sync.OnceFunc(func() {
		stop()
		watching.Wait()
		dropLeadLock(context.WithoutCancel(holding), conn)
	})}, nil
}

func awaitLeadLock(ctx context.Context, conn *sql.Conn) error {
	tick := time.NewTicker(leadPoll)
	defer tick.Stop()
	for {
		var taken bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", leadLock).Scan(&taken); err != nil {
			return fmt.Errorf("try to get the indexer lock: %w", err)
		}
		if taken {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watchLead checks the connection until ctx ends, and closes lost if the connection is
// broken.
func watchLead(ctx context.Context, conn *sql.Conn, lost chan<- struct{}) {
	tick := time.NewTicker(leadPoll)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), leadPatience)
		err := conn.PingContext(asking)
		cancel()
		if err != nil {
			close(lost)
			return
		}
	}
}

// dropLeadLock releases the lock and returns the connection to the pool. If that fails,
// it closes the connection, which also releases the lock.
func dropLeadLock(ctx context.Context, conn *sql.Conn) {
	asking, cancel := context.WithTimeout(ctx, leadPatience)
	defer cancel()
	if _, err := conn.ExecContext(asking, "SELECT pg_advisory_unlock($1)", leadLock); err != nil {
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = conn.Close()
}
