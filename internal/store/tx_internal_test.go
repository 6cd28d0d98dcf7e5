package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestConflictingTransaction checks that a transaction succeeds even if a conflicting
// transaction commits during each of its concurrent attempts.
func TestConflictingTransaction(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 0)
			testkit.Check(t, s.Migrate(ctx))
			// swap reads one setting and writes another. If two swaps in opposite directions
			// run concurrently, one must be aborted.
			swap := func(q *db.Queries, from, to string) error {
				if _, err := q.Setting(ctx, from); err != nil && err != sql.ErrNoRows { //nolint:errorlint // not wrapped
					return err
				}
				if err := q.DeleteSetting(ctx, to); err != nil {
					return err
				}
				_, err := q.PutSettingOnce(ctx, db.PutSettingOnceParams{Name: to, Value: from})
				return err
			}
			attempts := 0
			var others []chan error
			testkit.Check(t, s.inTx(ctx, func(q *db.Queries) error {
				attempts++
				if err := swap(q, "a", "b"); err != nil {
					return err
				}
				committed, other := make(chan struct{}), make(chan error, 1)
				go func() {
					other <- s.inTx(context.WithoutCancel(ctx), func(q *db.Queries) error { return swap(q, "b", "a") })
					close(committed)
				}()
				others = append(others, other)
				select {
				case <-committed:
				case <-time.After(200 * time.Millisecond): // the conflicting transaction waits for the end of this one
				}
				return nil
			}))
			for _, other := range others {
				testkit.Check(t, <-other)
			}
			if limit := concurrentAttempts + 1; attempts > limit {
				t.Errorf("%d attempts, want at most %d", attempts, limit)
			}
			if name == "postgres" && attempts == 1 {
				t.Error("the transactions did not conflict")
			}
		})
	}
}
