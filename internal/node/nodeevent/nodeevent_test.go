package nodeevent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodeevent"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testdb"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// observer observes a node, and reads the events of an admin.
type observer struct {
	t     *testing.T
	store *store.Store
	root  auth.User
	read  int
	stop  func()
}

// observe starts to observe a node, until stop is called.
func (o *observer) observe(node *testkit.Node) {
	cfg := rpcclient.Config{URL: fmt.Sprintf("http://%s:%d", node.Host(), node.Port()), CookieFile: node.CookieFile()}
	client := testkit.Must(rpcclient.New(cfg))
	discard := slog.New(slog.DiscardHandler)
	monitor := nodestatus.New(discard, client, time.Now, nodestatus.Options{Interval: 100 * time.Millisecond, Identity: o.store})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = monitor.Run(ctx) })
	running.Go(func() {
		nodeevent.Run(ctx, nodeevent.Options{
			Log: discard, Store: o.store, Chain: backend.New(client), Status: monitor.Status,
			Settle: time.Second, Interval: 20 * time.Millisecond,
		})
	})
	o.stop = sync.OnceFunc(func() { cancel(); running.Wait(); client.Close() })
	o.t.Cleanup(o.stop)
}

func (o *observer) events() []event.Event {
	list, _, err := o.store.EventsOfUser(o.t.Context(), o.root.ID, nil, 0, nil, math.MaxInt32)
	testkit.Check(o.t, err)
	return list[o.read:]
}

// want waits for an event, which must be the next one, and decodes its data.
func (o *observer) want(kind event.Kind, data any) {
	o.t.Helper()
	var next event.Event
	testkit.Eventually(o.t, string(kind), func() bool {
		list := o.events()
		if len(list) > 0 {
			next = list[0]
		}
		return len(list) > 0
	})
	if next.Kind != kind {
		o.t.Fatalf("%s %s instead of %s", next.Kind, next.Data, kind)
	}
	o.read++
	if strings.Contains(string(next.Data), "127.0.0.1") || strings.Contains(string(next.Data), "cookie__") {
		o.t.Errorf("the address or the user of the node is in %s", next.Data)
	}
	testkit.Check(o.t, json.Unmarshal(next.Data, data))
}

// TestRun: a real node is behind, up, stopped, started and reorganized.
func TestRun(t *testing.T) {
	node := testkit.Bitcoind(t)
	for name, database := range map[string]string{"SQLite": testdb.SQLite(t), "PostgreSQL": testdb.Postgres(t)} {
		t.Run(name, func(t *testing.T) { testRun(t, node, database) })
	}
}

func testRun(t *testing.T, node *testkit.Node, database string) {
	o := &observer{t: t, root: auth.User{ID: uuid.NewString(), Name: "root", PasswordHash: "-", Admin: true, CreatedAt: time.Now()}}
	var err error
	o.store, err = store.Open(t.Context(), store.Options{URL: database, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	testkit.Check(t, err)
	t.Cleanup(func() { _ = o.store.Close() })
	testkit.Check(t, o.store.Migrate(t.Context()))
	testkit.Check(t, o.store.CreateUser(t.Context(), auth.Operator("test"), o.root, auth.Event{At: time.Now()}))
	recorded := func() (n event.Node) {
		testkit.Check(t, o.store.EditNode(t.Context(), func(e *event.NodeEdit) { n = e.Node }))
		return n
	}

	var d event.NodeData
	if isNew := string(node.CLI(t, "getblockcount")) == "0"; isNew {
		o.observe(node)
		o.want(event.NodeBehind, &d) // the initial block download
		node.Mine(t, 1)
		o.want(event.NodeUp, &d)
	} else {
		o.observe(node)
		testkit.Eventually(t, "the first state", func() bool { return recorded().State != nil })
	}
	node.Stop(t)
	o.want(event.NodeDown, &d)
	if d.Before == nil || d.Before.State != event.NodeIsUp || d.ProblemCode != "node_unavailable" || d.Problem == "" {
		t.Errorf("%+v", d)
	}
	o.stop() // restarted while the node is down
	node.Start(t)
	o.observe(node)
	o.want(event.NodeUp, &d)
	if d.DownSeconds == nil || *d.DownSeconds < 0 || *d.DownSeconds > 300 || d.Before.State != event.NodeIsDown {
		t.Errorf("%+v", d)
	}

	// A longer branch, which the node does not use for now.
	long := node.Mine(t, 3)
	node.CLI(t, "invalidateblock", long[0])
	o.stop()
	o.read += len(o.events())
	var descriptor struct{ Descriptor string }
	testkit.Check(t, json.Unmarshal(node.CLI(t, "getdescriptorinfo", "raw(51)"), &descriptor))
	var short []string
	testkit.Check(t, json.Unmarshal(node.CLI(t, "generatetodescriptor", 2, descriptor.Descriptor), &short))
	o.observe(node)
	testkit.Eventually(t, "the shorter branch", func() bool { tip := recorded().Tip; return tip != nil && tip.Hash == short[1] })
	node.CLI(t, "reconsiderblock", long[0])
	var r event.ReorgData
	o.want(event.NodeReorg, &r)
	fork := r.ForkHeight
	if r != (event.ReorgData{ForkHeight: fork, Depth: 2, Before: event.Block{Height: fork + 2, Hash: short[1]}, After: event.Block{Height: fork + 3, Hash: long[2]}}) {
		t.Errorf("%+v", r)
	}
	if hash := string(node.CLI(t, "getblockhash", fork+1)); hash != `"`+long[0]+`"` {
		t.Errorf("the block after the fork is %s", hash)
	}
	node.Mine(t, 1)
	time.Sleep(1500 * time.Millisecond) // longer than a state must last
	if list := o.events(); len(list) != 0 {
		t.Errorf("%s %s", list[0].Kind, list[0].Data)
	}
}
