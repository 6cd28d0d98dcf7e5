package store_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// record adds an event to the audit log.
func (b *fixture) record(e auth.Event) {
	b.t.Helper()
	if e.Outcome == "" {
		e.Outcome = "ok"
	}
	testkit.Check(b.t, b.WriteEvents(b.t.Context(), []auth.Event{e}, nil))
}

func (b *fixture) verify(hash string) auth.AuditReport {
	b.t.Helper()
	testkit.Check(b.t, b.SealAudit(b.t.Context()))
	r, err := auth.NewAudit(b.Store).Verify(b.t.Context(), hash)
	testkit.Check(b.t, err)
	return r
}

func TestAuditChain(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		if r := b.verify(""); r.Entries != 0 || len(r.Problems) > 0 {
			t.Errorf("of nothing: %+v", r)
		}
		for i := range 1200 { // more than SealAudit seals or Verify reads at once
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

// TestAuditChain_DetectsManipulation checks that Verify detects every change to the audit
// log made in a shell. The removal of the last entries is detected only with a hash that
// was recorded before.
func TestAuditChain_DetectsManipulation(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]struct{ statement, problem string }{
		"changed":    {"UPDATE audit SET user_name = 'bob' WHERE chain_position = 2", "position 2"},
		"moved":      {"UPDATE audit SET at = at + 1 WHERE chain_position = 2", "position 2"},
		"rehashed":   {"UPDATE audit SET hash = '00' WHERE chain_position = 2", "position 3 (audit_id"},
		"taken away": {"DELETE FROM audit WHERE chain_position = 2", "entries between the positions 1 and 3"},
		"first gone": {"DELETE FROM audit WHERE chain_position = 1", "entries between the positions 0 and 2"},
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

// TestAuditChain_Concurrent checks that concurrent additions and seals result in one chain.
func TestAuditChain_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		const writers, each = 4, 25
		var done sync.WaitGroup
		for w := range writers {
			done.Go(func() {
				for i := range each {
					e := auth.Event{At: b.now, Action: "act", Target: fmt.Sprintf("%d/%d", w, i), Outcome: "ok"}
					if err := b.WriteEvents(t.Context(), []auth.Event{e}, nil); err != nil {
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
	onBothEngines(t, func(t *testing.T, b *fixture) {
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
			t.Run(c.want, func(t *testing.T) {
				var got []string
				var before int64
				for { // one entry per page
					entries, err := b.Audit(t.Context(), c.f, before, 1)
					testkit.Check(t, err)
					if len(entries) == 0 {
						break
					}
					got = append(got, entries[0].Action)
					before = entries[0].ID
				}
				if strings.Join(got, " ") != c.want {
					t.Errorf("%+v: %q", c.f, got)
				}
			})
		}
	})
}

// archive archives the entries that are older than the time before, and returns the text of
// the archive.
func (b *fixture) archive(before time.Time) (string, auth.AuditReport) {
	b.t.Helper()
	testkit.Check(b.t, b.SealAudit(b.t.Context()))
	var file strings.Builder
	audit := auth.NewAudit(b.Store)
	r, err := audit.WriteArchive(b.t.Context(), before, &file)
	testkit.Check(b.t, err)
	testkit.Check(b.t, audit.RemoveArchived(b.t.Context(), auth.Operator("root"), b.now, r, "file"))
	return file.String(), r
}

func verifyFiles(t *testing.T, files ...string) auth.AuditReport {
	t.Helper()
	var r auth.AuditReport
	for _, file := range files {
		testkit.Check(t, r.VerifyArchive(strings.NewReader(file), ""))
	}
	return r
}

// TestAuditArchive checks that the chain continues after the archived events, and that
// archives can be verified separately and together.
func TestAuditArchive(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		start := b.now
		for i := range 2500 {
			b.record(auth.Event{At: start.Add(time.Duration(i) * time.Second), UserName: "álice <&>", Action: "act", Target: fmt.Sprint(i), Detail: "x'y\n"})
		}
		whole := b.verify("")
		first, r := b.archive(start.Add(1200 * time.Second))
		if r.Entries != 1200 || r.Last.Target != "1199" || strings.Count(first, "\n") != 1200 {
			t.Fatalf("got %+v", r)
		}
		rest := b.verify(whole.Last.Hash)
		if len(rest.Problems) > 0 || rest.Entries != 1301 || !rest.Found || rest.Anchor.Hash != r.Last.Hash || rest.Last.Action != auth.ArchiveAction {
			t.Errorf("the rest: %+v", rest)
		}
		b.now = start.Add(time.Hour)
		second, _ := b.archive(b.now) // all events
		if r := b.verify(""); len(r.Problems) > 0 || r.Entries != 1 {
			t.Errorf("after all was archived: %+v", r)
		}
		b.record(auth.Event{At: b.now, Action: "later"})
		if r := b.verify(""); len(r.Problems) > 0 || r.Entries != 2 || r.Last.Position != 2503 {
			t.Errorf("behind it: %+v", r)
		}
		if r := verifyFiles(t, first, second); len(r.Problems) > 0 || r.Entries != 2501 || r.Anchor.Position != 0 {
			t.Errorf("both archives: %+v", r)
		}
		if r := verifyFiles(t, second); len(r.Problems) > 0 || r.Anchor.Position != 1200 {
			t.Errorf("the second archive: %+v", r)
		}
		lines := strings.SplitAfter(first, "\n")
		for what, file := range map[string]string{
			"changed":    strings.Replace(first, `"target":"7"`, `"target":"8"`, 1),
			"taken away": strings.Join(append(slices.Clone(lines[:7]), lines[8:]...), ""),
			"cut off":    strings.Join(lines[:700], ""),
			"exchanged":  strings.Join(lines[:7], "") + lines[8] + lines[7] + strings.Join(lines[9:], ""),
		} {
			t.Run(what, func(t *testing.T) {
				if r := verifyFiles(t, file, second); len(r.Problems) == 0 {
					t.Errorf("%s: no problem is found", what)
				}
			})
		}
		if err := new(auth.AuditReport).VerifyArchive(strings.NewReader(strings.Replace(first, `"hash"`, `"extra":1,"hash"`, 1)), ""); err == nil {
			t.Error("a field that no entry has is not found")
		}
	})
}

// TestAuditArchive_Forged checks that events removed without an archive are reported
// as missing, and that changed events are not archived.
func TestAuditArchive_Forged(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		for i := range 10 {
			b.record(auth.Event{At: b.now, Action: "act", Target: fmt.Sprint(i)})
		}
		b.verify("")
		b.exec("INSERT INTO settings (name, value) SELECT 'audit_anchor', '4 ' || hash FROM audit WHERE chain_position = 4")
		b.exec("DELETE FROM audit WHERE chain_position <= 4")
		if r := b.verify(""); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "no entry records the archive that ends at position 4") {
			t.Errorf("got %q", r.Problems)
		}
		b.exec("UPDATE audit SET target = 'x' WHERE chain_position = 6")
		audit := auth.NewAudit(b.Store)
		if _, err := audit.WriteArchive(t.Context(), b.now.Add(time.Hour), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), "position 6") {
			t.Errorf("got %v", err)
		}
		r := auth.AuditReport{Entries: 1, Last: auth.Entry{Position: 7, Hash: "another"}}
		if err := audit.RemoveArchived(t.Context(), auth.Operator("root"), b.now, r, "file"); err == nil {
			t.Error("entries are removed that are not the archived ones")
		}
		if n := b.count("SELECT count(*) FROM audit"); n != 6 {
			t.Errorf("%d entries are left", n)
		}
	})
}
