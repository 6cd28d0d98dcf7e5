package store

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMigratingToEvents checks that each wallet of an existing database gets one event,
// and that its recent transactions will be final.
func TestMigratingToEvents(t *testing.T) {
	for name, url := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "x.db"), "postgres": testkit.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			s := openAt(t, url, 22)
			p, err := s.provider()
			testkit.Check(t, err)
			exec := func(statement string, args ...any) {
				t.Helper()
				_, err := s.rw.ExecContext(ctx, statement, args...)
				testkit.Check(t, err)
			}
			for id, row := range map[string]struct {
				stage  string
				height int
			}{"a": {"ready", 100}, "b": {"ready", -1}, "c": {"creating", -1}} {
				exec(`INSERT INTO wallets (wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor, birthday_height, created_at, synced_height, synced_hash)
					VALUES ($1, $1, $2, $1, 'wpkh', 1, '', '', 0, 0, $3, 'hash')`, id, row.stage, row.height)
			}
			for _, height := range []int{10, 95, 96, 100} {
				exec(`INSERT INTO transactions (wallet_id, txid, time, status, block_height, block_hash, category, flow_sat, vsize, replaceable, trusted, address, received_at, raw)
					VALUES ('a', $1, 0, 'confirmed', $2, 'hash', 'receive', 1, 1, 'no', TRUE, '', 0, $3)`, fmt.Sprint("t", height), height, []byte("raw"))
			}
			for range 2 {
				_, err = p.Up(ctx)
				testkit.Check(t, err)
				for id, want := range map[string]int{"a": 1, "b": 0, "c": 0} {
					t.Run(id, func(t *testing.T) {
						events, bounds, err := s.EventsOfWallet(ctx, id, 0, nil, 10)
						testkit.Check(t, err)
						if len(events) != want || bounds.Last != int64(want) {
							t.Errorf("%s has the events %+v", id, events)
						}
						for _, e := range events {
							var d event.SyncData
							testkit.Check(t, json.Unmarshal(e.Data, &d))
							if e.Kind != event.WalletSynced || d != (event.SyncData{Height: 100, Hash: "hash", Imported: 4}) || time.Since(e.At) > time.Hour {
								t.Errorf("the event is %+v with %s", e, e.Data)
							}
						}
					})
				}
				waiting, err := texts(ctx, s.rw, "SELECT txid FROM awaiting_final ORDER BY txid")
				testkit.Check(t, err)
				if got := fmt.Sprint(waiting); got != "[t100 t96]" {
					t.Errorf("%s will be final", got)
				}
				_, err = p.DownTo(ctx, 22)
				testkit.Check(t, err)
			}
		})
	}
}

// BenchmarkEvents makes a small change of a wallet with 0, 1 and 100 events. The difference is
// the cost of the events.
func BenchmarkEvents(b *testing.B) {
	for name, url := range map[string]string{"sqlite": filepath.Join(b.TempDir(), "x.db"), "postgres": testkit.Postgres(b)} {
		b.Run(name, func(b *testing.B) {
			s, err := Open(b.Context(), Options{URL: url, BackupFolder: b.TempDir(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
			testkit.Check(b, err)
			b.Cleanup(func() { _ = s.Close() })
			testkit.Check(b, s.Migrate(b.Context()))
			_, err = s.rw.ExecContext(b.Context(), `INSERT INTO wallets (wallet_id, name, stage, core_name, script, signatures_required, receive_descriptor, change_descriptor, birthday_height, created_at, synced_height, synced_hash)
				VALUES ('w', 'w', 'ready', 'w', 'wpkh', 1, '', '', 0, 0, 1, 'hash')`)
			testkit.Check(b, err)
			payload := event.SyncData{Height: 100, Hash: fmt.Sprintf("%064d", 0), Imported: 4}
			for _, n := range []int{0, 1, 100} {
				b.Run(fmt.Sprint(n), func(b *testing.B) {
					_, before, err := s.EventsOfWallet(b.Context(), "w", 0, nil, 0)
					testkit.Check(b, err)
					for b.Loop() {
						testkit.Check(b, s.withEvents(b.Context(), s.inTx, func(q *db.Queries, log *eventLog) error {
							for range n {
								log.add("w", event.WalletSynced, "", event.Actor{}, payload)
							}
							return q.RaiseEventNumber(b.Context(), db.RaiseEventNumberParams{WalletID: "w"})
						}))
					}
					_, after, err := s.EventsOfWallet(b.Context(), "w", 0, nil, 0)
					if err != nil || after.Last != before.Last+int64(n*b.N) {
						b.Errorf("%d events after %d runs, %v", after.Last-before.Last, b.N, err)
					}
				})
			}
		})
	}
}
