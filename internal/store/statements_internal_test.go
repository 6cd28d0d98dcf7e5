package store

import (
	"context"
	"path/filepath"
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
