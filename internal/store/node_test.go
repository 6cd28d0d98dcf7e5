package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestNodeEvents: a change of the node's state, and a reorganization, are recorded once for
// each active admin, however many processes observe them.
func TestNodeEvents(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		root, second, plain, away := b.user("root", true), b.user("second", true), b.user("plain", false), b.user("away", true)
		_, err := b.EditUser(t.Context(), operator, "away", func(e *auth.UserEdit) error { e.DisabledAt = b.now; return nil })
		testkit.Check(t, err)
		stores := []*store.Store{b.Store, b.reopen(), b.reopen(), b.reopen()}
		edit := func(do func(*event.NodeEdit)) {
			t.Helper()
			var running sync.WaitGroup
			for _, s := range stores {
				running.Go(func() { testkit.Check(t, s.EditNode(t.Context(), do)) })
			}
			running.Wait()
		}
		state := func(name string, after time.Duration, problem string) {
			t.Helper()
			is := event.NodeState{State: name, Since: b.now.Add(after).Truncate(time.Second)}
			edit(func(e *event.NodeEdit) { e.SetState(is, "code", problem) })
		}
		var read int
		want := func(data ...string) {
			t.Helper()
			for _, u := range []auth.User{root, second} {
				var got []string
				for _, e := range b.userEvents(u)[read:] {
					got = append(got, string(e.Kind)+" "+string(e.Data))
				}
				if strings.Join(got, "\n") != strings.Join(data, "\n") {
					t.Errorf("%s has the events\n%s\nand not\n%s", u.Name, strings.Join(got, "\n"), strings.Join(data, "\n"))
				}
			}
			read += len(data)
			if n := len(b.userEvents(plain)) + len(b.userEvents(away)); n != 0 {
				t.Errorf("%d events of users who are not active admins", n)
			}
		}
		since := func(after time.Duration) string { return b.now.Add(after).Format(time.RFC3339) }

		state(event.NodeIsUp, 0, "")
		want()
		state(event.NodeIsDown, time.Minute, "no answer")
		want(fmt.Sprintf(`node.down {"before":{"state":"up","since":%q},"after":{"state":"down","since":%q},"problem_code":"code","problem":"no answer"}`, since(0), since(time.Minute)))
		state(event.NodeIsDown, 2*time.Minute, "another text")
		want()
		stores = append(stores, b.reopen()) // a restart
		state(event.NodeIsBehind, 3*time.Minute, "")
		want(fmt.Sprintf(`node.behind {"before":{"state":"down","since":%q},"after":{"state":"behind","since":%q},"down_seconds":120,"problem_code":"code"}`, since(time.Minute), since(3*time.Minute)))
		state(event.NodeIsUp, 4*time.Minute, "")
		want(fmt.Sprintf(`node.up {"before":{"state":"behind","since":%q},"after":{"state":"up","since":%q},"problem_code":"code"}`, since(3*time.Minute), since(4*time.Minute)))

		a, c := event.Block{Height: 5, Hash: "a"}, event.Block{Height: 6, Hash: "c"}
		reorg := event.ReorgData{ForkHeight: 3, Depth: 2, Before: a, After: c}
		edit(func(e *event.NodeEdit) { e.Tip = &a })
		want()
		edit(func(e *event.NodeEdit) { e.Reorganize(reorg) })
		want(`node.reorg {"fork_height":3,"depth":2,"before":{"height":5,"hash":"a"},"after":{"height":6,"hash":"c"}}`)
		back := event.ReorgData{ForkHeight: 3, Depth: 3, Before: c, After: a}
		edit(func(e *event.NodeEdit) { e.Reorganize(back) })
		edit(func(e *event.NodeEdit) { e.Reorganize(reorg) })
		if got := len(b.userEvents(root)) - read; got != 2 {
			t.Errorf("%d events of a reorganization back and forth", got)
		}
		third := b.user("third", true)
		if n := len(b.userEvents(third)); n != 0 {
			t.Errorf("a new admin has %d events", n)
		}
	})
}

// TestNodeEvents_First: the first state has an event unless the node is up, and a failure to
// write the event leaves the state as it was.
func TestNodeEvents_First(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		root := b.user("root", true)
		down := func(e *event.NodeEdit) {
			e.SetState(event.NodeState{State: event.NodeIsDown, Since: b.now}, "code", "")
		}
		b.exec("ALTER TABLE events RENAME TO hidden")
		if err := b.EditNode(t.Context(), down); err == nil {
			t.Error("recorded without an event")
		}
		b.exec("ALTER TABLE hidden RENAME TO events")
		testkit.Check(t, b.EditNode(t.Context(), down))
		testkit.Check(t, b.EditNode(t.Context(), down))
		list := b.userEvents(root)
		var d event.NodeData
		if len(list) != 1 || list[0].Kind != event.NodeDown {
			t.Fatalf("the events are\n%s", summary(list))
		}
		testkit.Check(t, json.Unmarshal(list[0].Data, &d))
		if d.Before != nil {
			t.Errorf("%s", list[0].Data)
		}
	})
}
