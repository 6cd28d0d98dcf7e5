package store

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestReleaseMemory checks that unused connections are closed, except for one for credentials,
// and that readers and writers work meanwhile and afterwards.
func TestReleaseMemory(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 0)
			testkit.Check(t, s.Migrate(ctx))
			use := func() {
				if _, err := s.credentials.credential(ctx, "none"); err == nil {
					t.Error("an unknown token was found")
				}
				_, err := s.Transactions(ctx, "none", wallet.Filter{Outputs: true}, wallet.HistoryCursor{}, 1)
				testkit.Check(t, err)
				_, err = s.rw.ExecContext(ctx, "UPDATE users SET quotas = quotas")
				testkit.Check(t, err)
			}
			var running sync.WaitGroup
			for range 8 {
				running.Go(func() {
					for range 20 {
						use()
						if err := s.ReleaseMemory(ctx); err != nil {
							t.Error(err)
						}
					}
				})
			}
			running.Wait()
			use()
			testkit.Check(t, s.ReleaseMemory(ctx))
			if name == "sqlite" {
				r := s.credentials.(*pinnedReader)
				if n := len(s.histories.(*sqliteHistories).free); n != 0 || len(r.free) != 1 || len(r.unopened) != pinnedConns()-1 {
					t.Errorf("%d connections for histories, %d for credentials, %d not open", n, len(r.free), len(r.unopened))
				}
			}
			use()
		})
	}
}
