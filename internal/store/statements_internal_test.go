package store

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestStatements_Concurrent runs a query that is not prepared yet in read transactions that use
// all connections of the pool. None of them may wait for a further connection.
func TestStatements_Concurrent(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "specterd.db"), 0)
	testkit.Check(t, s.Migrate(t.Context()))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	all := s.ro.Stats().MaxOpenConnections - s.ro.Stats().InUse
	errs := make([]error, all)
	var begun, done sync.WaitGroup
	begun.Add(all)
	everyone := make(chan struct{})
	go func() {
		begun.Wait()
		close(everyone)
	}()
	for i := range all {
		done.Go(func() {
			errs[i] = s.inReadTx(ctx, func(q *db.Queries) error {
				begun.Done()
				select {
				case <-everyone:
				case <-ctx.Done():
				}
				_, err := q.PoliciesOf(ctx, listOf([]string{"server"}))
				return err
			})
		})
	}
	done.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("transaction %d of %d: %v", i, all, err)
		}
	}
}

// TestStatements_Writes checks that statements of write transactions are prepared once and used
// again in later transactions, also after an error, a rollback and a change of the schema.
func TestStatements_Writes(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "specterd.db"), 0)
	_, err := s.rw.ExecContext(t.Context(), "CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
	testkit.Check(t, err)
	cache := &statements{pool: s.rw, running: &s.preparing}
	const insert, list = "INSERT INTO numbers (n) VALUES ($1)", "SELECT n FROM numbers ORDER BY n"
	inTx := func(commit bool, numbers ...int) error {
		tx, err := s.rw.BeginTx(t.Context(), nil)
		testkit.Check(t, err)
		defer tx.Rollback() //nolint:errcheck // after a commit
		for _, n := range numbers {
			if _, err := cache.on(tx).ExecContext(t.Context(), insert, n); err != nil {
				return err
			}
		}
		if commit {
			return tx.Commit()
		}
		return nil
	}
	testkit.Check(t, inTx(true, 1, 2)) // the pool has one connection, which this transaction uses
	testkit.Eventually(t, "the statement is prepared", func() bool {
		_, ok := cache.prepared.Load(insert)
		return ok
	})
	testkit.Check(t, inTx(true, 3, 4))
	if err := inTx(true, 5, 4); !isUnique(err) {
		t.Errorf("a duplicate: %v", err)
	}
	testkit.Check(t, inTx(false, 6))
	_, err = s.rw.ExecContext(t.Context(), "ALTER TABLE numbers ADD COLUMN comment TEXT")
	testkit.Check(t, err)
	testkit.Check(t, inTx(true, 7))
	rows, err := s.rw.QueryContext(t.Context(), list)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, rows.Close()) }()
	var got []int
	for rows.Next() {
		var n int
		testkit.Check(t, rows.Scan(&n))
		got = append(got, n)
	}
	testkit.Check(t, rows.Err())
	if !slices.Equal(got, []int{1, 2, 3, 4, 7}) {
		t.Errorf("the numbers are %v", got)
	}
}

// TestStatements_Close checks that Close waits until no statement is being prepared: the connection
// for it could create files in a directory that is no longer used.
func TestStatements_Close(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "specterd.db"), 0)
	var failed error
	s.preparing.Go(func() {
		for range 5000 {
			if err := s.ro.PingContext(context.WithoutCancel(t.Context())); err != nil {
				failed = err
			}
		}
	})
	testkit.Check(t, s.Close())
	s.preparing.Wait()
	testkit.Check(t, failed)
}
