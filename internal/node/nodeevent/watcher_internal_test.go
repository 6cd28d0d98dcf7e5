package nodeevent

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
)

// memory is a Store that keeps what was recorded, and fails if broken is set.
type memory struct {
	event.Node
	broken bool
	events []string
}

func (m *memory) EditNode(_ context.Context, edit func(*event.NodeEdit)) error {
	if m.broken {
		return errors.New("broken")
	}
	e := event.NodeEdit{Node: m.Node}
	edit(&e)
	m.Node = e.Node
	for _, e := range e.Events {
		m.events = append(m.events, fmt.Sprintf("%s %+v", e.Kind, e.Data))
	}
	return nil
}

// kinds returns the kinds of the events since the last call.
func (m *memory) kinds() string {
	var kinds []string
	for _, e := range m.events {
		kind, _, _ := strings.Cut(e, " ")
		kinds = append(kinds, kind)
	}
	m.events = nil
	return strings.Join(kinds, " ")
}

// blocks is a Chain: the headers by hash.
type blocks map[string]backend.Header

func (b blocks) BlockHeader(_ context.Context, hash string) (backend.Header, error) {
	h, ok := b[hash]
	if !ok {
		return h, backend.ErrBlockNotFound
	}
	return h, nil
}

// chain replaces the chain after the genesis block by blocks with these hashes; the blocks
// before stay known.
func (b blocks) chain(hashes ...string) {
	for hash, h := range b {
		h.Confirmations = -1
		b[hash] = h
	}
	prev := ""
	for i, hash := range append([]string{"genesis"}, hashes...) {
		b[hash] = backend.Header{Block: backend.Block{Hash: hash, Height: int64(i)}, Prev: prev, Confirmations: int64(len(hashes) - i + 1)}
		prev = hash
	}
}

// process is a watcher with a status that a test sets.
type process struct {
	watcher
	*memory
	t      *testing.T
	status nodestatus.Status
	blocks blocks
}

var begin = time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)

func newProcess(t *testing.T, m *memory) *process {
	p := &process{memory: m, t: t, blocks: blocks{}}
	p.blocks.chain("1")
	p.watcher = watcher{Options: Options{Store: m, Chain: p.blocks, Settle: 15 * time.Second, Status: func() nodestatus.Status { return p.status }}}
	p.status.Chain, p.status.CheckedAt = "main", begin
	p.tip("1")
	return p
}

// tip sets the last block, which is a second old.
func (p *process) tip(hash string) {
	p.status.BestBlockHash, p.status.Blocks, p.status.Time = hash, p.blocks[hash].Height, p.status.CheckedAt.Add(-time.Second)
}

// poll polls the node after some seconds; it responds unless err is set.
func (p *process) poll(seconds int, err error) {
	p.t.Helper()
	p.status.CheckedAt = p.status.CheckedAt.Add(time.Duration(seconds) * time.Second)
	p.status.Reachable, p.status.Problem = err == nil, nil
	if err != nil {
		p.status.Problem = rpcclient.ErrUnavailable
	} else {
		p.status.LastContact = p.status.CheckedAt
	}
	if err := p.observe(p.t.Context()); err != nil {
		p.t.Error(err)
	}
}

func (p *process) want(kinds string) {
	p.t.Helper()
	if got := p.kinds(); got != kinds {
		p.t.Errorf("the events are %q and not %q", got, kinds)
	}
}

var errAway = errors.New("away")

// TestState: a state is recorded once it has lasted 15 seconds, also across a restart.
func TestState(t *testing.T) {
	p := newProcess(t, &memory{})
	p.poll(0, nil)
	p.poll(15, nil)
	for range 10 { // flapping
		p.poll(5, errAway)
		p.poll(9, errAway)
		p.poll(1, nil)
	}
	p.want("")
	p.poll(2, errAway)
	p.poll(14, errAway)
	p.want("")
	p.poll(1, errAway)
	if want := "node.down {Before:0x"; len(p.events) != 1 || !strings.HasPrefix(p.events[0], want) || !strings.Contains(p.events[0], rpcclient.ErrUnavailable.Message) {
		t.Errorf("the events are %q", p.events)
	}
	if since := p.State.Since; !since.Equal(p.status.LastContact) {
		t.Errorf("down since %v, not since %v", since, p.status.LastContact)
	}
	p.want("node.down")
	p.poll(1, nil)
	p.poll(14, nil)
	p.poll(1, errAway)
	p.poll(16, errAway)
	p.want("")

	p = newProcess(t, p.memory) // a restart
	p.status.CheckedAt = begin.Add(time.Hour)
	p.poll(0, errAway)
	p.poll(20, errAway)
	p.want("")
	p.tip("1")
	p.poll(2, nil)
	p.broken = true
	p.status.CheckedAt = p.status.CheckedAt.Add(16 * time.Second)
	if p.observe(t.Context()) == nil {
		t.Error("no error of the store")
	}
	p.broken = false
	p.poll(1, nil)
	p.poll(20, nil)
	p.want("node.up")
}

// TestBehind: a node without all blocks is behind, and up when it has them.
func TestBehind(t *testing.T) {
	p := newProcess(t, &memory{})
	p.status.InitialBlockDownload = true
	p.poll(0, nil)
	p.poll(20, nil)
	p.want("node.behind")
	p.status.InitialBlockDownload = false
	p.tip("1")
	p.poll(1, nil)
	p.poll(20, nil)
	p.want("node.up")
	p.poll(4*3600-22, nil)
	p.poll(20, nil) // the last block is four hours old from here on
	p.poll(15, nil)
	p.poll(15, nil)
	p.want("node.behind")
	p.status.Chain = "regtest"
	p.poll(1, nil)
	p.poll(20, nil)
	p.want("node.up")
	p.status.Problem = nodestatus.ErrWrongChain
	p.status.CheckedAt = p.status.CheckedAt.Add(time.Second)
	_ = p.observe(t.Context())
	p.status.CheckedAt = p.status.CheckedAt.Add(20 * time.Second)
	_ = p.observe(t.Context())
	if len(p.events) != 1 || !strings.Contains(p.events[0], "wrong_chain") {
		t.Errorf("the events are %q", p.events)
	}
}

// TestReorg: blocks that leave the chain have an event; the first tip after a start, the
// initial block download and another node have none.
func TestReorg(t *testing.T) {
	m := &memory{}
	p := newProcess(t, m)
	move := func(hashes ...string) {
		t.Helper()
		p.blocks.chain(hashes...)
		p.tip(hashes[len(hashes)-1])
		p.poll(1, nil)
	}
	move("1")
	move("1", "2a")
	move("1", "2a", "3a", "4a")
	p.want("")
	move("1", "2b", "3b")
	if want := "node.reorg {ForkHeight:1 Depth:3 Before:{Height:4 Hash:4a} After:{Height:3 Hash:3b}}"; len(p.events) != 1 || p.events[0] != want {
		t.Errorf("the events are %q", p.events)
	}
	m.events = nil
	move("1", "2b")
	p.want("node.reorg")
	move("1", "2b", "3b")
	p.want("")
	move("1", "2a", "3a", "4a")
	p.want("node.reorg")

	p.tip("3b") // for a moment; the headers are newer
	p.poll(1, nil)
	p.want("")
	p.poll(1, errAway)
	p.blocks.chain("1", "2b", "3b", "4b")
	p.poll(1, nil)
	p.want("node.reorg")
	p.tip("4b")
	p.poll(1, nil)
	p.want("")

	p.status.InitialBlockDownload = true
	move("1", "2c")
	p.want("")

	p = newProcess(t, m)
	move("1", "2d")
	p.want("")
	move("1", "2e")
	p.want("node.reorg")
	p.blocks = blocks{}
	p.Chain = p.blocks
	move("1", "2f")
	p.want("")
	move("1", "2g")
	p.want("node.reorg")
}
