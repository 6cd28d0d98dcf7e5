package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
)

// shrinkMemory is a statement that frees the pages that a connection has cached:
// https://sqlite.org/pragma.html#pragma_shrink_memory.
const shrinkMemory = "PRAGMA shrink_memory"

// ReleaseMemory closes connections to SQLite that are not in use, apart from one for writing and
// one for credentials, and empties the caches of these two. A connection takes a megabyte, and
// twice the size of its cache, because the memory allocator rounds up the size of each page.
func (s *Store) ReleaseMemory(ctx context.Context) error {
	if _, ok := s.engine.(sqliteEngine); !ok {
		return nil
	}
	_, err := s.rw.ExecContext(ctx, shrinkMemory)
	if r, ok := s.credentials.(*pinnedReader); ok {
		err = errors.Join(err, r.release(ctx))
	}
	if r, ok := s.histories.(*sqliteHistories); ok {
		err = errors.Join(err, r.release())
	}
	if err != nil {
		return translate(fmt.Errorf("release memory: %w", err))
	}
	return nil
}

// release closes all connections that no reader uses, except for one.
func (r *pinnedReader) release(ctx context.Context) (err error) {
	for {
		select {
		case c := <-r.free:
			if len(r.free) == 0 {
				_, failed := c.conn.ExecContext(ctx, shrinkMemory)
				r.free <- c
				return errors.Join(err, failed)
			}
			err = errors.Join(err, c.close())
			r.unopened <- struct{}{}
		default:
			return err
		}
	}
}

func (c *pinnedConn) close() error {
	return errors.Join(c.counter.(driver.Stmt).Close(), c.conn.Close())
}

// release closes all connections that no reader uses.
func (r *sqliteHistories) release() (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range r.free {
		err = errors.Join(err, conn.Close())
	}
	r.free = nil
	return err
}
