package system

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/app"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/replay"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestEvents_Killed kills servers under load, while clients read the event log. All clients must
// read the same events, each acknowledged change must have its event exactly once, and the
// events of each wallet must have the numbers 1, 2, 3 … and lead to the rows of the index.
func TestEvents_Killed(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := newEventLoad(t, 1, func() string { return dir }, nil)
		l.run(eventKills(t))
		l.compare(shell(t, dir), openApp(t, map[string]string{"SPECTER_DATA_FOLDER": dir}, app.Existing))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		url := testkit.Postgres(t)
		settings := []string{"SPECTER_DATABASE_URL=" + url, "SECRET_KEY=" + testKey}
		l := newEventLoad(t, 3, t.TempDir, settings)
		l.run(eventKills(t))
		db, err := sql.Open("pgx", url)
		testkit.Check(t, err)
		t.Cleanup(func() { _ = db.Close() })
		l.compare(db, openApp(t, map[string]string{"SPECTER_DATABASE_URL": url, "SECRET_KEY": testKey, "SPECTER_DATA_FOLDER": t.TempDir()}, app.Existing))
	})
}

// eventKills returns the number of kills of one test, which SPECTERD_KILLS changes.
func eventKills(t *testing.T) int {
	t.Helper()
	if text := os.Getenv("SPECTERD_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		testkit.Check(t, err)
		return n
	}
	return testkit.Size(2, 500)
}

// eventLoad is a load of several servers on one database and one node.
type eventLoad struct {
	t         *testing.T
	r         *rand.Rand
	seed      uint64
	dir       func() string
	settings  []string
	processes []*soak // one per server
	servers   []*server
	ledger    *eventLedger
	readers   []*eventReader
	stop      []func()
	happened  map[string]int
}

func newEventLoad(t *testing.T, n int, dir func() string, settings []string) *eventLoad {
	t.Helper()
	seed := testkit.Seed(t)
	first := newSoak(t)
	l := &eventLoad{
		t: t, r: rand.New(rand.NewPCG(seed, 0)), seed: seed, dir: dir, ledger: newEventLedger(), happened: map[string]int{},
		settings: slices.Concat(nodeSettings(first.node), []string{"SPECTER_LOG_LEVEL=warn", "SPECTER_ADMINS_ADD_MEMBERS=true"}, settings),
	}
	for i := range n {
		s := first
		if i > 0 {
			s = &soak{t: t, node: first.node, up: make(chan struct{}), told: promises{}, client: first.client}
		}
		s.observe = l.ledger.observe
		// Processes that change the same user or wallet at the same time may run out of attempts.
		s.mayBeBusy = n > 1
		l.processes = append(l.processes, s)
		l.servers = append(l.servers, s.start(dir(), l.settings))
	}
	boss := ask{method: http.MethodPost, path: "/api/v1/tokens", password: testPassword, may: []int{created}, body: map[string]any{
		"description": "boss", "lifetime": "2 days", "scopes": []string{"tokens:*", "users:read", "node:read", "wallets:*", "addresses:*", "proposals:*", "members:*", "events:read"},
	}}
	var made madeToken
	first.do(boss, &made)
	first.boss = made.Secret
	first.ready()
	for _, k := range []testkit.Script{testkit.WPKH, testkit.TR, testkit.WSH} {
		testkit.Check(t, first.addVault(t.Context(), k))
	}
	first.fundVaults()
	for i, s := range l.processes {
		s.boss, s.vaults = first.boss, first.vaults
		name := fmt.Sprintf("member-%d", i)
		status := call(t.Context(), http.MethodPost, s.url+"/api/v1/users", "", map[string]any{"name": name, "password": testPassword}, nil)
		if status != created {
			t.Fatalf("create a user: status %d", status)
		}
		s.ready()
	}
	return l
}

// run kills the servers in turn, under load.
func (l *eventLoad) run(kills int) {
	l.t.Helper()
	l.begin()
	for i := 0; i < kills && !l.failed(); i++ {
		at := i % len(l.processes)
		s := l.processes[at]
		if l.r.IntN(5) > 0 { // otherwise soon after the start
			s.waitAnswered(10 + l.r.IntN(40))
		}
		if i%10 == 1 {
			l.processes[0].reorganize(l.r)
			l.happened["reorganizations"]++
		}
		s.kill(l.servers[at])
		l.servers[at] = s.start(l.dir(), l.settings)
		l.happened["kills"]++
	}
	for _, stop := range l.stop[1:] {
		stop()
	}
}

// begin starts the readers and the load. The first function in stop ends the readers.
func (l *eventLoad) begin() {
	ctx, cancel := context.WithCancel(l.t.Context())
	var reading sync.WaitGroup
	read := func(name string, do func(*eventReader)) {
		r := &eventReader{name: name}
		l.readers = append(l.readers, r)
		reading.Go(func() { do(r) })
	}
	for i, s := range l.processes {
		read(fmt.Sprintf("stream %d", i), func(r *eventReader) { r.stream(ctx, s) })
	}
	read("long poll", func(r *eventReader) { r.poll(ctx, l.processes) })
	l.stop = append(l.stop, func() { cancel(); reading.Wait() })
	for i, s := range l.processes {
		l.stop = append(l.stop, l.loadProcess(i, s))
	}
}

// loadProcess starts the load of one process.
func (l *eventLoad) loadProcess(i int, s *soak) (stop func()) {
	ctx, cancel := context.WithCancel(l.t.Context())
	var working sync.WaitGroup
	work := []func(context.Context, *rand.Rand){
		s.useTokens, s.propose, s.revealAddresses,
		func(ctx context.Context, r *rand.Rand) { s.freezeIn(ctx, r, s.vaults[i]) },
		func(ctx context.Context, r *rand.Rand) { s.changeMember(ctx, r, fmt.Sprintf("member-%d", i)) },
		func(ctx context.Context, r *rand.Rand) { s.tidy(ctx, r, s.vaults[i]) },
	}
	if i == 0 {
		work = append(work, s.moveChain)
	}
	for n, do := range work {
		r := rand.New(rand.NewPCG(l.seed, uint64(1+i*len(work)+n)))
		working.Go(func() { do(ctx, r) })
	}
	return func() { cancel(); working.Wait() }
}

func (l *eventLoad) failed() bool {
	for _, s := range l.processes {
		s.mu.Lock()
		wrong := s.wrong
		s.mu.Unlock()
		if len(wrong) > 0 {
			l.t.Errorf("%s", wrong)
			for _, server := range l.servers {
				l.t.Logf("log of %s:\n%s", server.url, server.log)
			}
			s.mu.Lock()
			s.wrong = nil // is reported
			s.mu.Unlock()
		}
	}
	return l.t.Failed()
}

func (l *eventLoad) names() string {
	text := ""
	for _, r := range l.readers {
		text += fmt.Sprintf("%s (%d interruptions), ", r.name, r.interrupted)
	}
	return text + "and a new reader"
}

// compare compares what the clients have read with each other, with the requests of the load
// and with the database.
func (l *eventLoad) compare(db *sql.DB, opened *app.App) {
	l.t.Helper()
	first := l.processes[0]
	first.indexed(db)
	events := l.readersAgree()
	l.stop[0]()
	if l.failed() {
		return
	}
	aliases := column(l.t, db, "SELECT wallet_id, alias FROM members JOIN users USING (user_id) WHERE name = 'admin'")
	ofWallet := map[string][]readEvent{}
	for _, e := range events {
		if id := e.Data.WalletID; id != "" {
			ofWallet[id] = append(ofWallet[id], e)
		}
	}
	for id, alias := range aliases {
		l.compareWallet(opened, id, ofWallet[id], first.walletEvents(alias))
	}
	kinds := map[string]bool{}
	for _, e := range events {
		kinds[e.Type] = true
	}
	wrong := l.ledger.compare(events, aliases)
	wrong = append(wrong, differences(existing(events, aliases), l.objects(db))...)
	for _, text := range wrong[:min(len(wrong), 20)] {
		l.t.Error(text)
	}
	for _, s := range l.processes {
		l.happened["requests"] += int(s.answers.Load())
		l.happened["requests with 503"] += int(s.busy.Load())
	}
	testkit.Figure(l.t, "%d processes, %v: %d events of %d kinds, the same for %s; %d acknowledged changes, each with its event", len(l.processes), l.happened, len(events), len(kinds), l.names(), l.ledger.acknowledged)
}

// readersAgree waits until all readers have read all events, and compares these with the events
// that a new reader reads.
func (l *eventLoad) readersAgree() (all []readEvent) {
	l.t.Helper()
	testkit.Eventually(l.t, "all readers to have read all events", func() bool {
		all = l.processes[0].allEvents()
		return l.failed() || !slices.ContainsFunc(l.readers, func(r *eventReader) bool { return r.count() < len(all) })
	})
	for _, r := range l.readers {
		r.mu.Lock()
		if len(r.events) != len(all) {
			l.t.Errorf("%s has read %d events, not %d", r.name, len(r.events), len(all))
		}
		for i, e := range r.events[:min(len(r.events), len(all))] {
			if e.text != all[i].text {
				l.t.Errorf("event %d of %s is\n%s, not\n%s", i, r.name, e.text, all[i].text)
				break
			}
		}
		r.mu.Unlock()
	}
	return all
}

// compareWallet checks the numbers of a wallet's events, and compares the events with the response
// of the wallet's route and with the rows of the log. The states to which they lead must be the
// states in the index.
func (l *eventLoad) compareWallet(opened *app.App, id string, events, own []readEvent) {
	l.t.Helper()
	rows, _, err := opened.Store.EventsOfWallet(l.t.Context(), id, 0, nil, 1<<20)
	testkit.Check(l.t, err)
	if len(events) == 0 || len(events) != len(rows) || len(events) != len(own) {
		l.t.Errorf("wallet %s has %d events, %d on its route, and %d in the log", id, len(events), len(own), len(rows))
		return
	}
	for i, e := range events {
		var data struct{ Data json.RawMessage }
		into(l.t, &data, json.RawMessage(e.text))
		_, text, _ := strings.Cut(e.text, `"type"`)
		_, ownText, _ := strings.Cut(own[i].text, `"type"`)
		if e.Data.N != int64(i+1) || text != ownText || string(data.Data) != string(rows[i].Data) || e.Type != string(rows[i].Kind) {
			l.t.Errorf("event %d of wallet %s is\n%s, on its route\n%s, and in the log\n%+v", i+1, id, e.text, own[i].text, rows[i])
			return
		}
	}
	var folded replay.Wallet
	for _, text := range folded.Differences(l.t.Context(), opened.Store, id) {
		l.t.Errorf("wallet %s: %s", id, text)
	}
}

// existing returns the objects that exist according to the events.
func existing(events []readEvent, aliases map[string]string) map[string]string {
	all := map[string]string{}
	for _, e := range events {
		for _, object := range e.objects(aliases) {
			switch event.Kind(e.Type) {
			case event.TokenCreated, event.TokenRotated, event.UTXOFrozen, event.MemberAdded:
				all[object] = ""
			case event.TokenRevoked, event.UTXOUnfrozen, event.MemberRemoved:
				delete(all, object)
			}
		}
	}
	return all
}

// objects returns the objects that exist in the database.
func (l *eventLoad) objects(db *sql.DB) map[string]string {
	l.t.Helper()
	return column(l.t, db, `SELECT 'token ' || token_id, '' FROM tokens
		UNION ALL SELECT 'utxo ' || txid || ':' || vout, '' FROM frozen
		UNION ALL SELECT 'member ' || mine.alias || '/members/' || other.name, '' FROM members AS mine
			JOIN users AS admin ON admin.user_id = mine.user_id AND admin.name = 'admin'
			JOIN members AS theirs ON theirs.wallet_id = mine.wallet_id JOIN users AS other ON other.user_id = theirs.user_id AND other.name <> 'admin'`)
}

func differences(byEvents, inDatabase map[string]string) (wrong []string) {
	for _, object := range without(byEvents, inDatabase) {
		wrong = append(wrong, object+" exists by its events, but not in the database")
	}
	for _, object := range without(inDatabase, byEvents) {
		wrong = append(wrong, object+" exists in the database, but not by its events")
	}
	return wrong
}
