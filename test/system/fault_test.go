package system

import (
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// nodeFaults are the simulated faults of a node, each with the expected error response.
var nodeFaults = []struct {
	name       string
	onlyCall   bool                 // the fault affects single calls only
	begin      func(*testkit.Relay) // instead of answer, for faults other than wrong responses
	answer     func(*testkit.Exchange)
	status     int
	code, says string
}{
	{name: "refuses connections", begin: (*testkit.Relay).Close, status: 503, code: "node_unavailable", says: "cannot be reached; start it"},
	{name: "breaks off", answer: func(*testkit.Exchange) { panic(http.ErrAbortHandler) }, status: 503, code: "node_unavailable", says: "try again shortly"},
	{name: "never answers", answer: func(x *testkit.Exchange) { <-x.Context().Done() }, status: 503, code: "node_unavailable", says: "try again shortly"},
	{name: "refuses the credential", answer: func(x *testkit.Exchange) { x.Answer(http.StatusUnauthorized, nil) }, status: 503, code: "node_unauthorized", says: "correct the user and password, or the cookie file"},
	{name: "refuses our address", answer: func(x *testkit.Exchange) { x.Answer(http.StatusForbidden, nil) }, status: 503, code: "node_method_forbidden", says: "rpcallowip"},
	{name: "is starting up", answer: func(x *testkit.Exchange) { x.Refuse(http.StatusInternalServerError, -28, "Loading block index…") }, status: 503, code: "node_unavailable", says: "is starting up; try again"},
	{name: "has too much to do", answer: func(x *testkit.Exchange) {
		x.Answer(http.StatusServiceUnavailable, []byte("Work queue depth exceeded"))
	}, status: 503, code: "node_busy", says: "raise rpcworkqueue"},
	{name: "refuses for an unknown reason", onlyCall: true, answer: func(x *testkit.Exchange) {
		x.Refuse(http.StatusInternalServerError, -4, unknownReason)
	}, status: 502, code: "node_error", says: "specterd's log has its text"},
	{name: "redirects", answer: func(x *testkit.Exchange) {
		x.ResponseWriter.Header().Set("Location", "http://127.0.0.1:1/")
		x.Answer(http.StatusTemporaryRedirect, nil)
	}, status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "is a web page", answer: func(x *testkit.Exchange) {
		x.Answer(http.StatusOK, []byte("<html><title>Welcome to nginx!</title></html>"))
	}, status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "speaks gibberish", answer: func(x *testkit.Exchange) { x.Answer(http.StatusOK, []byte("\x00\xff{[")) }, status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "says nothing", answer: func(x *testkit.Exchange) { x.Answer(http.StatusOK, nil) }, status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "answers another call", answer: rewrites(`"id":`, `"id":1`), status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "answers of another type", answer: rewrites(`"result":`, `"result":[7,{}],"was":`), status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "answers twice", answer: rewrites(`"result":`, `"result":null,"result":`), status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "is cut off", answer: func(x *testkit.Exchange) {
		status, body := x.Ask()
		x.ResponseWriter.Header().Set("Content-Length", strconv.Itoa(len(body)))
		x.Answer(status, body[:len(body)-2])
	}, status: 503, code: "node_unavailable", says: "try again shortly"},
	{name: "does not come to an end", answer: func(x *testkit.Exchange) {
		_, err := x.ResponseWriter.Write([]byte(`{"result":"`))
		for much := make([]byte, 1<<20); err == nil; {
			_, err = x.ResponseWriter.Write(much)
		}
	}, status: 502, code: "node_invalid_response", says: "specterd's log"},
	{name: "is on another chain", answer: rewrites(`"chain":"regtest"`, `"chain":"main"`), status: 503, code: wrongChain, says: "use another node or another database"},
}

const (
	wrongChain    = "wrong_chain"
	unknownReason = "A reason of a version to come"
)

// rewrites returns an answer that replaces from by to in the node's responses.
func rewrites(from, to string) func(*testkit.Exchange) {
	return func(x *testkit.Exchange) {
		status, body := x.Ask()
		x.Answer(status, []byte(strings.ReplaceAll(string(body), from, to)))
	}
}

// TestNodeFaults checks that, with a faulty node or a single faulty call, indexed data is still
// served, requests that require the node fail with a remedy and without side effects, and
// the server recovers with the node.
func TestNodeFaults(t *testing.T) {
	t.Parallel()
	node := testkit.Bitcoind(t)
	relay := testkit.NewRelay(t, node)
	dir := t.TempDir()
	s := startServer(t, dir, append(nodeSettings(node), "BTC_RPC_PORT="+strconv.Itoa(relay.Port()))...)
	f := faulty{outageClient: outageClient{t: t, url: s.url}, node: node, dir: dir}
	f.prepare()

	n := 0
	for i, fault := range nodeFaults {
		for _, whole := range []bool{true, false} {
			onlyWhole := fault.begin != nil || fault.code == wrongChain
			tooLong := whole && i > 0 || fault.name == "never answers" // takes seconds: until the next poll, or until a call times out
			if !whole && onlyWhole || whole && fault.onlyCall || tooLong && !testkit.Long() {
				continue
			}
			n++
			t.Run(fmt.Sprintf("%s/%v", fault.name, map[bool]string{true: "as a whole", false: "one call"}[whole]), func(t *testing.T) {
				f := f
				f.t = t
				before := f.left()
				broken := func(calls ...string) {
					if fault.begin != nil {
						fault.begin(relay)
						return
					}
					relay.Intercept(func(x *testkit.Exchange) {
						if whole || x.Calls(calls...) {
							fault.answer(x)
						} else {
							x.Forward()
						}
					})
				}
				if onlyWhole { // noticed at the next poll
					broken()
					f.ready(http.StatusServiceUnavailable)
				}
				for _, act := range f.requests() {
					broken(act.calls...)
					var problem struct{ Code, Detail string }
					status, body := f.send(act.method, act.path, act.body)
					_ = json.Unmarshal(body, &problem)
					// Once the monitor has noticed the fault, requests fail because the node
					// is unusable.
					known := whole && status == http.StatusServiceUnavailable
					if status != fault.status && !known || problem.Code != fault.code || !strings.Contains(problem.Detail, fault.says) {
						t.Errorf("%s: %d %s, want %d %s with %q", act.name, status, body, fault.status, fault.code, fault.says)
					}
				}
				for _, path := range []string{"/api/v1/wallets", "/api/v1/wallets/one", "/api/v1/wallets/one/transactions", "/api/v1/wallets/one/utxos", "/api/v1/wallets/one/proposals/" + f.signed} {
					f.do(http.MethodGet, path, nil, http.StatusOK)
				}
				if whole {
					f.ready(http.StatusServiceUnavailable)
				}
				if fault.begin != nil {
					relay.Open()
				}
				relay.Intercept(nil)
				f.ready(http.StatusOK)
				if after := f.left(); after != before {
					t.Errorf("side effects:\n%s\nbefore\n%s", after, before)
				}
				var made struct{ ID string }
				f.into(&made, f.do(http.MethodPost, "/api/v1/wallets/one/proposals", f.order(), http.StatusCreated))
				f.do(http.MethodDelete, "/api/v1/wallets/one/proposals/"+made.ID, nil, http.StatusOK)
			})
		}
	}
	f.do(http.MethodPost, "/api/v1/wallets", orderOf("two", 2), http.StatusCreated)
	f.do(http.MethodPost, "/api/v1/wallets/one/proposals/"+f.signed+"/broadcast", nil, http.StatusOK)
	for _, method := range []string{"getdescriptorinfo", "walletcreatefundedpsbt", "testmempoolaccept"} {
		if want := "refused " + method + " with code -4: " + unknownReason; !strings.Contains(s.log.String(), want) {
			t.Errorf("the log lacks %q", want)
		}
	}
	testkit.Figure(t, "%d ways to be faulty, each with a new wallet, a proposal, a broadcast and reads: 0 wrong answers, 0 things left behind", n)
}

// faulty is a client of a server with a faulty node.
type faulty struct {
	outageClient
	node   *testkit.Node
	dir    string
	signed string // the id of a proposal that is complete
}

const faultyAddress = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

func (f *faulty) order() map[string]any {
	return map[string]any{"recipients": []any{map[string]any{"address": faultyAddress, "amount_sat": 100_000}}, "fee_rate_sat_vb": 2}
}

// prepare creates a funded wallet and a signed proposal.
func (f *faulty) prepare() {
	t, node := f.t, f.node
	t.Helper()
	node.CLI(t, "createwallet", "payer")
	var address string
	f.into(&address, node.WalletCLI(t, "payer", "getnewaddress"))
	node.CLI(t, "generatetoaddress", 101, address)
	f.ready(http.StatusOK)
	var token madeToken
	call(t.Context(), http.MethodPost, f.url+"/api/v1/tokens", "", map[string]any{"description": "faults", "lifetime": "1 hour"}, &token)
	f.token = token.Secret
	const device = 4711
	kind := testkit.WPKH
	f.do(http.MethodPost, "/api/v1/wallets", map[string]any{"name": "one", "descriptor": kind.Descriptor(t, device, "<0;1>", -1), "birthday": "now"}, http.StatusCreated)
	node.Signer(t, "signer", kind.Descriptor(t, device, "0", 0), kind.Descriptor(t, device, "1", 0))
	outputs := map[string]any{}
	for range 2 {
		var a struct{ Address string }
		f.into(&a, f.do(http.MethodPost, "/api/v1/wallets/one/addresses", map[string]any{}, http.StatusCreated))
		outputs[a.Address] = 0.01
	}
	node.WalletCLI(t, "payer", "sendmany", "", outputs)
	node.CLI(t, "generatetoaddress", 1, address)
	f.reaches(102)
	var p struct {
		ID   string
		PSBT []byte
	}
	f.into(&p, f.do(http.MethodPost, "/api/v1/wallets/one/proposals", f.order(), http.StatusCreated))
	f.signed = p.ID
	signed := base64.StdEncoding.EncodeToString(node.Sign(t, p.PSBT, "signer"))
	f.do(http.MethodPost, "/api/v1/wallets/one/proposals/"+p.ID+"/signatures", map[string]any{"psbt": signed}, http.StatusOK)
}

type request struct {
	name, method, path string
	body               any
	calls              []string // the first calls to the node
}

func (f *faulty) requests() []request {
	return []request{
		{"create wallet", http.MethodPost, "/api/v1/wallets", orderOf("two", 2), []string{"getdescriptorinfo"}},
		{"create proposal", http.MethodPost, "/api/v1/wallets/one/proposals", f.order(), []string{"walletcreatefundedpsbt"}},
		{"broadcast", http.MethodPost, "/api/v1/wallets/one/proposals/" + f.signed + "/broadcast", nil, []string{"testmempoolaccept"}},
	}
}

// ready waits until the readiness probe returns the given status.
func (f *faulty) ready(status int) {
	f.t.Helper()
	testkit.Eventually(f.t, "readiness "+strconv.Itoa(status), func() bool {
		return call(f.t.Context(), http.MethodGet, f.url+"/api/healthz/readyness", "x", nil, nil) == status
	})
}

// left returns a summary of the state in the database and on the node that failed requests
// must not change.
func (f *faulty) left() string {
	f.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(f.dir, "specterd.db"))
	testkit.Check(f.t, err)
	defer func() { _ = db.Close() }()
	var text strings.Builder
	for _, query := range []string{
		"SELECT group_concat(wallet_id || stage) FROM wallets",
		"SELECT group_concat(proposal_id || status || version) FROM proposals WHERE status <> 'cancelled'",
		"SELECT count(*) FROM proposal_steps AS s JOIN proposals AS p USING (proposal_id) WHERE p.status <> 'cancelled'",
		"SELECT group_concat(txid || vout) FROM reserved WHERE proposal_id IS NOT NULL",
		"SELECT count(*) FROM labels", "SELECT count(*) FROM addresses",
	} {
		var value string
		testkit.Check(f.t, db.QueryRowContext(f.t.Context(), query).Scan(&value))
		text.WriteString(value + "\n")
	}
	var list []string
	f.into(&list, f.node.CLI(f.t, "listwallets"))
	var mempool []string
	f.into(&mempool, f.node.CLI(f.t, "getrawmempool"))
	return text.String() + fmt.Sprint(len(list), mempool)
}
