package system

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// processes are two specterd servers on one PostgreSQL database and one node.
type processes struct {
	t        *testing.T
	node     *testkit.Node
	db       *sql.DB
	settings []string
	database string
	ports    [2]string
	running  [2]*server
	boss     string // secret of a token with all scopes
}

// TestSeveralProcesses checks that two processes on one database, one of which runs the
// indexer, give the same guarantees as one.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	p := newProcesses(t)
	t.Run("takeover", p.killLeader)
	t.Run("reservations", p.reserve)
	t.Run("idempotency", p.once)
	t.Run("revocation", p.revoke)
	t.Run("rolling restart", p.rollingRestart)
}

func newProcesses(t *testing.T) *processes {
	t.Helper()
	p := &processes{t: t, node: testkit.Bitcoind(t, "-unsafesqlitesync"), database: testkit.Postgres(t)}
	p.node.CLI(t, "createwallet", outsider)
	p.node.CLI(t, "generatetoaddress", 110, p.outsideAddress(t))
	p.settings = append(nodeSettings(p.node), "SECRET_KEY="+testKey, "SPECTER_LOG_LEVEL=warn", "SPECTER_STOP_DELAY=3")
	var err error
	p.db, err = sql.Open("pgx", p.database)
	testkit.Check(t, err)
	t.Cleanup(func() { _ = p.db.Close() })
	for i := range p.running {
		_, p.ports[i], err = net.SplitHostPort(freeAddress(t))
		testkit.Check(t, err)
		p.start(t, i)
	}
	var boss madeToken
	p.ask(t, 0, http.MethodPost, "/api/v1/tokens", map[string]any{
		"description": "boss", "lifetime": "2 days", "scopes": []string{"tokens:*", "node:read", "wallets:*", "addresses:*", "proposals:*"},
	}, &boss, created)
	p.boss = boss.Secret
	for i := range p.running {
		testkit.Eventually(t, "the node is usable", func() bool {
			return call(t.Context(), http.MethodGet, p.running[i].url+"/api/healthz/readyness", p.boss, nil, nil) == ok
		})
	}
	p.ask(t, 0, http.MethodPost, "/api/v1/wallets", orderOf("shared", 1), nil, created)
	return p
}

// start starts process i at its previous port.
func (p *processes) start(t *testing.T, i int) {
	t.Helper()
	settings := append(slices.Clone(p.settings), "SPECTER_DATABASE_URL="+p.database+"&application_name="+process(i), "PORT="+p.ports[i])
	s := startServer(p.t, p.t.TempDir(), settings...) // the server outlives a subtest
	p.running[i] = s
}

// process returns the application name of process i in PostgreSQL.
func process(i int) string { return fmt.Sprintf("process-%d", i) }

// ask makes a request to process i, and fails the test if the response does not have the
// given status.
func (p *processes) ask(t *testing.T, i int, method, path string, body, out any, status int) {
	t.Helper()
	if got := call(t.Context(), method, p.running[i].url+path, p.boss, body, out); got != status {
		t.Fatalf("%s %s: status %d, want %d\n%s", method, path, got, status, p.running[i].log)
	}
}

func (p *processes) outsideAddress(t *testing.T) (address string) {
	t.Helper()
	into(t, &address, p.node.WalletCLI(t, outsider, "getnewaddress"))
	return address
}

// leader returns the number of the process that holds the indexer lock, the advisory lock
// of internal/store/lead.go, or -1 if none holds it.
func (p *processes) leader(t *testing.T) int {
	t.Helper()
	var name string
	err := p.db.QueryRowContext(t.Context(), `SELECT a.application_name FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()
		AND l.classid::bigint << 32 | l.objid::bigint = x'73706563746572'::bigint`).Scan(&name)
	if errors.Is(err, sql.ErrNoRows) {
		return -1
	}
	testkit.Check(t, err)
	return slices.Index([]string{process(0), process(1)}, name)
}

// killLeader repeatedly kills the process that runs the indexer, and checks that the
// other process takes over.
func (p *processes) killLeader(t *testing.T) {
	var slowest time.Duration
	rounds := testkit.Size(2, 20)
	for range rounds {
		testkit.Eventually(t, "a process to run the indexer", func() bool { return p.leader(t) >= 0 })
		leader := p.leader(t)
		p.running[leader].kill()
		begin := time.Now()
		testkit.Eventually(t, "the other process to run the indexer", func() bool { return p.leader(t) == 1-leader })
		slowest = max(slowest, time.Since(begin))
		p.node.Mine(t, 1)
		p.reachesTip(t, 1-leader)
		p.start(t, leader)
	}
	if testkit.Long() && slowest > 5*time.Second {
		t.Error("the slowest takeover took", slowest)
	}
	testkit.Figure(t, "%d takeovers after SIGKILL, the slowest after %v", rounds, slowest.Round(10*time.Millisecond))
}

// reachesTip waits until process i serves the data of the last block.
func (p *processes) reachesTip(t *testing.T, i int) {
	t.Helper()
	var height int
	into(t, &height, p.node.CLI(t, "getblockcount"))
	testkit.Eventually(t, "the index is at the last block", func() bool {
		var w struct {
			AsOf *struct{ Height int } `json:"as_of"`
		}
		p.ask(t, i, http.MethodGet, "/api/v1/wallets/shared", nil, &w, ok)
		return w.AsOf != nil && w.AsOf.Height == height
	})
}

type openProposal struct {
	ID     string
	Inputs []struct {
		Txid string
		Vout int
	}
}

// both sends the same request to both processes at once and returns the statuses.
func (p *processes) both(t *testing.T, a ask, out *[2]openProposal) (statuses [2]int) {
	t.Helper()
	s := &soak{t: t, client: http.DefaultClient, boss: p.boss, up: make(chan struct{})}
	close(s.up)
	var working sync.WaitGroup
	for i, server := range p.running {
		working.Go(func() {
			status, _, body, err := s.exchange(a, server.url)
			if err == nil && status == created {
				err = json.Unmarshal(body, &out[i])
			}
			if err != nil {
				t.Error(err)
			}
			statuses[i] = status
		})
	}
	working.Wait()
	return statuses
}

// reserve creates proposals at both processes at once and checks that they share no UTXO.
func (p *processes) reserve(t *testing.T) {
	pairs := testkit.Size(5, 200)
	const utxos = 20 // one per open proposal
	var list struct{ Items []struct{ Address string } }
	p.ask(t, 0, http.MethodGet, "/api/v1/wallets/shared/addresses?branch=receive", nil, &list, ok)
	outputs := map[string]string{}
	for _, a := range list.Items[:utxos] {
		outputs[a.Address] = "0.1"
	}
	p.node.WalletCLI(t, outsider, "sendmany", "", outputs)
	p.node.CLI(t, "generatetoaddress", 1, p.outsideAddress(t))
	p.reachesTip(t, 0)
	taken := map[string]string{}
	for range pairs {
		if len(taken)+2 > utxos {
			p.cancel(t, taken)
		}
		var made [2]openProposal
		statuses := p.both(t, ask{method: http.MethodPost, path: "/api/v1/wallets/shared/proposals", body: payment(p.outsideAddress(t))}, &made)
		for i, status := range statuses {
			if status != created {
				t.Fatalf("one proposal at each: statuses %v\n%s", statuses, p.running[i].log)
			}
			for _, in := range made[i].Inputs {
				utxo := fmt.Sprintf("%s:%d", in.Txid, in.Vout)
				if taken[utxo] != "" {
					t.Errorf("UTXO %s is in the proposals %s and %s", utxo, taken[utxo], made[i].ID)
				}
				taken[utxo] = made[i].ID
			}
		}
	}
	p.cancel(t, taken)
	testkit.Eventually(t, "no UTXO to be reserved or locked", func() bool {
		var rows int
		var core string
		testkit.Check(t, p.db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM reserved), (SELECT core_name FROM wallets)").Scan(&rows, &core))
		return rows == 0 && string(p.node.WalletCLI(t, core, "listlockunspent")) == "[]"
	})
	testkit.Figure(t, "%d pairs of proposals through two processes at once, no shared input, no lock and no reservation left", pairs)
}

func payment(address string) map[string]any {
	return map[string]any{"recipients": []map[string]any{{"address": address, "amount_sat": 5_000_000}}, "fee_rate_sat_vb": 2}
}

// cancel cancels the proposals in taken, which maps UTXOs to proposal ids, through each
// server in turn, and clears taken.
func (p *processes) cancel(t *testing.T, taken map[string]string) {
	t.Helper()
	done := map[string]bool{}
	for _, id := range taken {
		if !done[id] {
			p.ask(t, len(done)%2, http.MethodDelete, "/api/v1/wallets/shared/proposals/"+id, nil, nil, ok)
		}
		done[id] = true
	}
	clear(taken)
}

// once sends a request with the same Idempotency-Key to both processes at once, repeats
// this, and checks that only one proposal was created.
func (p *processes) once(t *testing.T) {
	rounds := testkit.Size(5, 200)
	busy := 0
	for round := range rounds {
		a := ask{method: http.MethodPost, path: "/api/v1/wallets/shared/proposals", body: payment(p.outsideAddress(t)), key: fmt.Sprintf("once-%d", round)}
		var made, again [2]openProposal
		statuses := p.both(t, a, &made)
		for i, status := range statuses {
			switch status {
			case created:
			case conflict: // the other process is still executing the request
				busy++
			default:
				t.Fatalf("statuses %v\n%s", statuses, p.running[i].log)
			}
		}
		if statuses := p.both(t, a, &again); statuses != [2]int{created, created} || again[0].ID != again[1].ID {
			t.Fatalf("again: statuses %v, proposals %q and %q", statuses, again[0].ID, again[1].ID)
		}
		var open struct{ Items []openProposal }
		p.ask(t, round%2, http.MethodGet, "/api/v1/wallets/shared/proposals?status=created", nil, &open, ok)
		if len(open.Items) != 1 || open.Items[0].ID != again[0].ID {
			t.Fatalf("%d open proposals, but the response has %s", len(open.Items), again[0].ID)
		}
		p.ask(t, round%2, http.MethodDelete, "/api/v1/wallets/shared/proposals/"+again[0].ID, nil, nil, ok)
	}
	testkit.Figure(t, "%d requests with one Idempotency-Key at two processes at once, each done once; %d were told that the other is at it", rounds, busy)
}

// revoke deletes tokens at one process, and checks that both accept them before and refuse
// them after the deletion.
func (p *processes) revoke(t *testing.T) {
	tokens := testkit.Size(20, 500)
	for n := range tokens {
		var made madeToken
		p.ask(t, n%2, http.MethodPost, "/api/v1/tokens", map[string]any{"description": fmt.Sprint("revoked ", n), "lifetime": "1 hour"}, &made, created)
		for _, want := range []int{ok, http.StatusUnauthorized} {
			if want != ok {
				p.ask(t, n/2%2, http.MethodDelete, "/api/v1/tokens/"+made.ID, nil, nil, ok)
			}
			for i, s := range p.running {
				if got := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); got != want {
					t.Errorf("token %d at process %d: status %d, want %d", n, i, got, want)
				}
			}
		}
	}
	testkit.Figure(t, "%d tokens deleted at one process and refused at once by both", tokens)
}

// rollingRestart restarts one process after the other behind a load balancer, under load,
// and checks that no request is lost.
func (p *processes) rollingRestart(t *testing.T) {
	balancer := p.balance(t)
	var asked, lost atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var working sync.WaitGroup
	for client := range 8 {
		c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: time.Minute}
		t.Cleanup(c.CloseIdleConnections)
		s := &soak{t: t, client: c, boss: p.boss}
		do := func(a ask, want int) []byte {
			status, _, body, err := s.exchange(a, balancer)
			if asked.Add(1); err != nil || status != want {
				lost.Add(1)
				t.Logf("%s %s: status %d, %v: %s", a.method, a.path, status, err, body)
			}
			return body
		}
		working.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				do(ask{method: http.MethodGet, path: "/api/v1/wallets/shared/transactions"}, ok)
				var made madeToken
				body := map[string]any{"description": fmt.Sprintf("client %d %d", client, i), "lifetime": "1 hour"}
				if json.Unmarshal(do(ask{method: http.MethodPost, path: "/api/v1/tokens", body: body}, created), &made) == nil {
					do(ask{method: http.MethodDelete, path: "/api/v1/tokens/" + made.ID}, ok)
				}
				do(ask{method: http.MethodGet, path: "/api/v1/wallets/shared", accept: "application/json"}, ok)
			}
		})
	}
	wait := func() {
		until := asked.Load() + int64(testkit.Size(200, 2000))
		testkit.Eventually(t, "more responses", func() bool { return asked.Load() >= until })
	}
	rounds := testkit.Size(2, 20)
	servers := slices.Clone(p.running[:])
	for i := range rounds {
		wait()
		testkit.Check(t, p.running[i%2].cmd.Process.Signal(syscall.SIGTERM))
		if err := p.running[i%2].cmd.Wait(); err != nil {
			t.Errorf("the stop: %v", err)
		}
		wait()
		p.start(t, i%2)
		servers = append(servers, p.running[i%2])
	}
	wait()
	stop()
	working.Wait()
	if lost.Load() > 0 {
		t.Errorf("%d of %d requests were lost", lost.Load(), asked.Load())
		for _, s := range servers {
			t.Logf("log of %s:\n%s", s.url, s.log)
		}
	}
	testkit.Figure(t, "%d processes restarted one after the other under load: %d requests, %d lost", rounds, asked.Load(), lost.Load())
}

// balance starts a load balancer for both processes and returns its URL. It imitates Caddy
// with deploy/balancer.Caddyfile, since make deps does not install Caddy, and uses the same
// HTTP client. A server that fails its liveness probe gets no requests; if a server cannot
// be connected to, the request goes to the other one; only GET requests are repeated.
func (p *processes) balance(t *testing.T) string {
	t.Helper()
	b := &balancer{base: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}}
	ctx, stop := context.WithCancel(t.Context())
	var checking sync.WaitGroup
	for i, s := range p.running {
		b.hosts[i] = strings.TrimPrefix(s.url, "http://")
		checking.Go(func() { b.checkHealth(ctx, i) })
	}
	proxy := &httputil.ReverseProxy{
		Transport: b, ErrorLog: log.New(t.Output(), "balancer: ", 0),
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: b.hosts[0]}) },
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(func() {
		stop()
		checking.Wait()
		server.Close()
		b.base.CloseIdleConnections()
	})
	return server.URL
}

type balancer struct {
	base  *http.Transport
	hosts [2]string
	dead  [2]atomic.Bool
	turn  atomic.Int64
}

// checkHealth regularly checks the liveness of process i.
func (b *balancer) checkHealth(ctx context.Context, i int) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		status := call(ctx, http.MethodGet, "http://"+b.hosts[i]+"/api/healthz/liveness", "-", nil, nil)
		b.dead[i].Store(status != ok)
	}
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	first := int(b.turn.Add(1) % 2)
	if b.dead[first].Load() {
		first = 1 - first
	}
	response, err := b.try(r, body, first)
	refused, isNetwork := errors.AsType[*net.OpError](err)
	if err != nil && (r.Method == http.MethodGet || isNetwork && refused.Op == "dial") {
		return b.try(r, body, 1-first)
	}
	return response, err
}

func (b *balancer) try(r *http.Request, body []byte, i int) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Host, out.Host, out.Body = b.hosts[i], b.hosts[i], http.NoBody
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
	}
	return b.base.RoundTrip(out)
}
