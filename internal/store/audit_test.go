package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// record adds an event to the audit record, by an act that has nothing else to it.
func (b *bench) record(e auth.Event) {
	b.t.Helper()
	if e.Outcome == "" {
		e.Outcome = "ok"
	}
	must(b.t, b.WriteJournal(b.t.Context(), []auth.Event{e}, nil))
}

func (b *bench) verify(hash string) auth.AuditReport {
	b.t.Helper()
	must(b.t, b.SealAudit(b.t.Context()))
	r, err := auth.NewAudit(b.Store).Verify(b.t.Context(), hash)
	must(b.t, err)
	return r
}

func TestAuditChain(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		if r := b.verify(""); r.Entries != 0 || len(r.Problems) > 0 {
			t.Errorf("of nothing: %+v", r)
		}
		for i := range 1200 { // more than is sealed or read at once
			b.record(auth.Event{At: b.now.Add(time.Duration(i) * time.Microsecond), UserName: "álice", Action: "act", Target: fmt.Sprint(i), Detail: "x'y\n"})
		}
		first := b.verify("")
		if first.Entries != 1200 || len(first.Problems) > 0 || len(first.Last.Hash) != 64 {
			t.Fatalf("got %+v", first)
		}
		b.record(auth.Event{At: b.now, Action: "later"})
		if r := b.verify(first.Last.Hash); r.Entries != 1201 || !r.Found || len(r.Problems) > 0 || r.Last.PreviousHash != first.Last.Hash {
			t.Errorf("got %+v", r)
		}
		if r := b.verify(strings.Repeat("0", 64)); r.Found {
			t.Error("found a hash that there is not")
		}
		if n := b.count("SELECT count(*) FROM v_audit WHERE chain_position IS NULL OR at <> '2026-11-21T20:30:00Z'"); n != 0 {
			t.Errorf("%d rows of v_audit are wrong: %s", n, b.rows("SELECT * FROM v_audit LIMIT 1"))
		}
	})
}

// Whatever is done to the record in a shell shows, but for the end of it, which a
// hash that was written down shows.
func TestAuditChainShowsWhatWasDoneToIt(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]struct{ statement, problem string }{
		"changed":    {"UPDATE audit SET user_name = 'bob' WHERE chain_position = 2", "position 2"},
		"moved":      {"UPDATE audit SET at = at + 1 WHERE chain_position = 2", "position 2"},
		"rehashed":   {"UPDATE audit SET hash = '00' WHERE chain_position = 2", "position 3 (audit_id"},
		"taken away": {"DELETE FROM audit WHERE chain_position = 2", "between the positions 1 and 3"},
		"first gone": {"DELETE FROM audit WHERE chain_position = 1", "between the positions 0 and 2"},
		"last gone":  {"DELETE FROM audit WHERE chain_position = 4", ""},
		"renumbered": {"UPDATE audit SET audit_id = 1000 WHERE chain_position = 3", "position 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := openSQLite(t)
			for i := range 4 {
				b.record(auth.Event{At: b.now, Action: "act", Target: fmt.Sprint(i)})
			}
			hash := b.verify("").Last.Hash
			b.exec(done.statement)
			r := b.verify(hash)
			if done.problem == "" {
				if r.Found || len(r.Problems) > 0 {
					t.Errorf("got %+v", r)
				}
				return
			}
			if !strings.Contains(strings.Join(r.Problems, "\n"), done.problem) {
				t.Errorf("got %q", r.Problems)
			}
		})
	}
}

// Several processes add and seal at once, and there is one chain.
func TestAuditChainOfSeveral(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		const writers, each = 4, 25
		var done sync.WaitGroup
		for w := range writers {
			done.Go(func() {
				for i := range each {
					e := auth.Event{At: b.now, Action: "act", Target: fmt.Sprintf("%d/%d", w, i), Outcome: "ok"}
					if err := b.WriteJournal(t.Context(), []auth.Event{e}, nil); err != nil {
						t.Error(err)
					}
					if err := b.SealAudit(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		done.Wait()
		if r := b.verify(""); r.Entries != writers*each || len(r.Problems) > 0 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAuditFilter(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *bench) {
		for i, e := range []auth.Event{
			{UserName: "alice", Action: "token.create", Target: "1"},
			{UserName: "alice", Action: "tokens", Target: "2"},
			{UserName: "bob", Action: "token.delete", Target: "1"},
			{UserName: "bob", Action: "login", Outcome: "refused"},
		} {
			e.At = b.now.Add(time.Duration(i) * time.Second)
			b.record(e)
		}
		for _, c := range []struct {
			f    auth.AuditFilter
			want string
		}{
			{auth.AuditFilter{}, "login token.delete tokens token.create"},
			{auth.AuditFilter{UserName: "alice"}, "tokens token.create"},
			{auth.AuditFilter{Action: "token"}, "token.delete token.create"},
			{auth.AuditFilter{Action: "token.create"}, "token.create"},
			{auth.AuditFilter{Action: "token%"}, ""},
			{auth.AuditFilter{Target: "1"}, "token.delete token.create"},
			{auth.AuditFilter{Outcome: "refused"}, "login"},
			{auth.AuditFilter{Since: b.now.Add(time.Second), Until: b.now.Add(3 * time.Second)}, "token.delete tokens"},
		} {
			var got []string
			var before int64
			for { // page by page
				entries, err := b.Audit(t.Context(), c.f, before, 1)
				must(t, err)
				if len(entries) == 0 {
					break
				}
				got = append(got, entries[0].Action)
				before = entries[0].ID
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%+v: %q", c.f, got)
			}
		}
	})
}
