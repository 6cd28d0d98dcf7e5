package system

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSoak runs a mixed load of reads, writes, payments, replacements and blocks, while the
// node is restarted, the chain is reorganized and specterd is killed. At the end, all
// acknowledged changes must be present, the index must equal a new one, and no reservation,
// lock, goroutine or file may be left over.
//
// The long form takes half an hour, or the number of minutes in SPECTERD_SOAK_MINUTES.
// During the last third, specterd is not killed, so that its memory can be measured.
func TestSoak(t *testing.T) {
	t.Parallel()
	seed := testkit.Seed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	s := newSoak(t)
	dir := t.TempDir()
	metrics := freeAddress(t)
	settings := append(nodeSettings(s.node), "SPECTER_METRICS_LISTEN="+metrics, "SPECTER_LOG_LEVEL=error")
	server := s.start(dir, settings)
	s.createObjects()
	happened := map[string]int{}

	stop := s.load(seed)
	s.disturb(r, happened, soakTime()*2/3, []string{"kills", "restarts of the node", "reorgs"}, func() {
		s.kill(server)
		server = s.start(dir, settings)
	})
	stop()
	s.kill(server)
	server = s.start(dir, settings)
	stop = s.load(seed + 1)
	s.disturb(r, happened, soakTime()/15, []string{"reorgs"}, nil)
	stop() // by now, the server has all its permanent connections and files open
	before := atRest(t, server, metrics)
	watched := watchMemory(t, server)
	stop = s.load(seed + 2)
	s.disturb(r, happened, soakTime()*4/15, []string{"restarts of the node", "reorgs"}, nil)
	stop()
	memory := watched()
	settled(t, server, metrics, before)
	after := atRest(t, server, metrics)
	testkit.Figure(t, "goroutines %d, then %d; open files %d, then %d; memory (RSS) %s", before.goroutines, after.goroutines, before.files, after.files, memory)

	s.catchUp(dir)
	s.checkAcknowledged(dir)
	s.nothingLeft(dir)
	server.kill()
	compared := s.compareWithNewIndex(dir, settings)
	if t.Failed() {
		t.Logf("errors in the log of the last server:\n%s", server.log)
	}
	testkit.Figure(t, "%d requests in %v, %d of them 503; %v; %d acknowledged things kept; index of %d rows as of a new start", s.answers.Load(), soakTime(), s.busy.Load(), happened, len(s.told), compared)
}

// soakTime returns the total duration, or 0 for the short form, in which each disturbance
// occurs once.
func soakTime() time.Duration {
	if text := os.Getenv("SPECTERD_SOAK_MINUTES"); text != "" {
		minutes, _ := strconv.Atoi(text)
		return time.Duration(minutes) * time.Minute
	}
	return time.Duration(testkit.Size(0, 30)) * time.Minute
}

func newSoak(t *testing.T) *soak {
	t.Helper()
	// Bitcoin Core does not start after a kill if the block filter index refers to a block
	// that was not written to disk.
	node := testkit.Bitcoind(t, "-unsafesqlitesync", "-rpcthreads=16", "-rpcworkqueue=128", "-blockfilterindex=0")
	s := &soak{
		t: t, node: node, up: make(chan struct{}), told: promises{},
		client: &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
	}
	t.Cleanup(func() {
		for _, text := range s.wrong[:min(len(s.wrong), 20)] {
			t.Error(text)
		}
	})
	s.node.CLI(t, "createwallet", outsider)
	s.node.CLI(t, "generatetoaddress", 120, s.outsiderAddress(t.Context()))
	return s
}

// createObjects creates the objects that the load requires.
func (s *soak) createObjects() {
	s.t.Helper()
	s.ready()
	var boss madeToken
	status := call(s.t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "boss", "lifetime": "2 days", "scopes": []string{
		"tokens:*", "users:*", "audit:read", "node:read", "wallets:*", "addresses:*", "proposals:*",
	}}, &boss)
	if status != created {
		s.t.Fatalf("status %d", status)
	}
	s.boss = boss.Secret
	for _, k := range []testkit.Script{testkit.WPKH, testkit.TR, testkit.WSH, testkit.SHWPKH} {
		testkit.Check(s.t, s.addVault(s.t.Context(), k))
	}
	s.fundVaults()
}

// fundVaults pays to five addresses of each wallet.
func (s *soak) fundVaults() {
	s.t.Helper()
	outputs := map[string]string{}
	for _, v := range s.vaults {
		for i, address := range v.addresses[:5] {
			outputs[address] = fmt.Sprintf("0.%d", 3+i)
		}
	}
	s.node.WalletCLI(s.t, outsider, "sendmany", "", outputs)
	s.node.CLI(s.t, "generatetoaddress", 1, s.outsiderAddress(s.t.Context()))
}

// ready waits until the node is usable.
func (s *soak) ready() {
	s.t.Helper()
	testkit.Eventually(s.t, "the node can be used", func() bool {
		status, _, _, err := s.exchange(ask{method: http.MethodGet, path: "/api/healthz/readyness"}, s.url)
		return err == nil && status == ok
	})
}

// start starts the server, and resumes the load.
func (s *soak) start(dir string, settings []string) *server {
	s.t.Helper()
	server := startServer(s.t, dir, settings...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.url = server.url
	close(s.up)
	return server
}

func (s *soak) kill(server *server) {
	s.mu.Lock()
	s.up = make(chan struct{})
	s.life++
	s.mu.Unlock()
	server.kill()
}

// disturb causes disturbances during the load and counts them in happened: each kind once,
// and then random ones until the duration long has passed. In the short form (long is 0),
// it skips kinds that have already happened.
func (s *soak) disturb(r *rand.Rand, happened map[string]int, long time.Duration, kinds []string, kill func()) {
	s.t.Helper()
	begin := time.Now()
	for i := 0; i < len(kinds) || time.Since(begin) < long; i++ {
		kind := kinds[i%len(kinds)]
		switch {
		case i >= len(kinds):
			kind = kinds[r.IntN(len(kinds))]
		case long == 0 && happened[kind] > 0:
			continue
		}
		patience := 100
		if long > 0 {
			patience = 200 + r.IntN(2000)
		}
		s.waitAnswered(patience)
		switch happened[kind]++; kind {
		case "kills":
			kill()
		case "restarts of the node":
			s.restartNode(r)
		case "reorgs":
			s.reorganize(r)
		}
		s.mu.Lock()
		wrong := len(s.wrong)
		s.mu.Unlock()
		if wrong > 0 {
			return // the test reports the error at the end
		}
	}
	s.waitAnswered(100)
}

// waitAnswered waits for a number of responses to the load.
func (s *soak) waitAnswered(requests int) {
	s.t.Helper()
	until := s.answers.Load() + int64(requests)
	testkit.Eventually(s.t, fmt.Sprint(requests, " more responses"), func() bool { return s.answers.Load() >= until })
}

// restartNode stops the node, or kills it, and starts it again.
func (s *soak) restartNode(r *rand.Rand) {
	s.t.Helper()
	s.chain.Lock()
	defer s.chain.Unlock()
	if r.IntN(2) == 0 {
		s.node.Stop(s.t)
	} else {
		s.node.CLI(s.t, "gettxoutsetinfo") // flushes the chain to disk, since no other node has it
		s.node.Kill()
	}
	if err := s.node.Node.Start(s.t.Context()); err != nil {
		text, _ := os.ReadFile(filepath.Join(filepath.Dir(s.node.CookieFile()), "debug.log"))
		s.t.Fatalf("%v\n%s", err, text[max(0, len(text)-5000):])
	}
	wallets := []string{outsider}
	s.mu.Lock()
	for _, v := range s.vaults {
		wallets = append(wallets, v.signers...)
	}
	s.mu.Unlock()
	for _, name := range wallets {
		s.node.CLI(s.t, "loadwallet", name)
	}
}

// reorganize replaces the last blocks by a longer chain, with the same transactions or none.
func (s *soak) reorganize(r *rand.Rand) {
	s.t.Helper()
	s.chain.Lock()
	defer s.chain.Unlock()
	var height int
	into(s.t, &height, s.node.CLI(s.t, "getblockcount"))
	depth := 1 + r.IntN(6)
	hash := s.node.CLI(s.t, "getblockhash", height-depth+1)
	s.node.CLI(s.t, "invalidateblock", hash)
	if r.IntN(2) == 0 {
		for range depth {
			s.node.CLI(s.t, "generateblock", s.outsiderAddress(s.t.Context()), []string{})
		}
		depth = 0
	}
	s.node.CLI(s.t, "generatetoaddress", depth+1, s.outsiderAddress(s.t.Context()))
}

func into(t *testing.T, out any, text json.RawMessage) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(text, out))
}

// resources are the numbers of goroutines and open files of a process.
type resources struct{ goroutines, files int }

var goroutines = regexp.MustCompile(`(?m)^go_goroutines (\d+)$`)

// count returns the server's current resources.
func count(t *testing.T, s *server, metrics string) (c resources) {
	t.Helper()
	found := goroutines.FindStringSubmatch(get(t, "http://"+metrics+"/metrics", ok))
	if found == nil {
		t.Fatal("no go_goroutines")
	}
	c.goroutines, _ = strconv.Atoi(found[1])
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	testkit.Check(t, err)
	c.files = len(files)
	return c
}

// atRest returns the minimum of the server's resources while it is idle. Its idle connections
// to the node are closed after 20 seconds.
func atRest(t *testing.T, s *server, metrics string) resources {
	t.Helper()
	least := count(t, s, metrics)
	for range testkit.Size(100, 10_000) {
		c := count(t, s, metrics)
		least = resources{min(least.goroutines, c.goroutines), min(least.files, c.files)}
	}
	return least
}

// settled waits until the server has no more resources than before, apart from connections
// that its pools may have opened.
func settled(t *testing.T, s *server, metrics string, had resources) {
	t.Helper()
	const pools = 10
	testkit.Eventually(t, fmt.Sprintf("no more goroutines and files than %+v", had), func() bool {
		c := count(t, s, metrics)
		return c.goroutines <= had.goroutines+pools && c.files <= had.files+pools
	})
}

// watchMemory measures the server's memory every second until the returned function is
// called, which compares the averages of the first and the last tenth.
func watchMemory(t *testing.T, s *server) func() string {
	t.Helper()
	long := soakTime() > 0
	var samples []int
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if kib, err := s.resident(); err == nil {
				samples = append(samples, kib)
			}
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() string {
		close(stop)
		<-ended
		if len(samples) == 0 {
			t.Fatal("the server's memory could not be measured")
		}
		part := (len(samples) + 9) / 10
		begin, end := average(samples[:part]), average(samples[len(samples)-part:])
		change := float64(end-begin) / float64(begin) * 100
		if long && (change > 20) {
			t.Errorf("memory: %d kB, then %d kB", begin, end)
		}
		return fmt.Sprintf("%d MB, then %d MB (%+.0f %%), %d MB at most", begin>>10, end>>10, change, slices.Max(samples)>>10)
	}
}

func average(list []int) int {
	sum := 0
	for _, v := range list {
		sum += v
	}
	return sum / len(list)
}

func number(t *testing.T, db *sql.DB, query string, args ...any) (n int) {
	t.Helper()
	testkit.Check(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}

// catchUp waits until all wallets are indexed up to the node's last block and no operation
// is pending.
func (s *soak) catchUp(dir string) {
	s.t.Helper()
	s.indexed(shell(s.t, dir))
}

// indexed waits until all wallets in a database are indexed up to the node's last block and no
// operation is pending.
func (s *soak) indexed(db *sql.DB) {
	s.t.Helper()
	var best string
	into(s.t, &best, s.node.CLI(s.t, "getbestblockhash"))
	s.node.CLI(s.t, "syncwithvalidationinterfacequeue")
	testkit.Eventually(s.t, "the index is at the last block", func() bool {
		return number(s.t, db, "SELECT count(*) FROM wallets WHERE stage <> 'ready' OR synced_hash <> $1 OR rescan_from IS NOT NULL", best) == 0
	})
}

// checkAcknowledged checks that the server and its database have every acknowledged
// change.
func (s *soak) checkAcknowledged(dir string) {
	s.t.Helper()
	db := shell(s.t, dir)
	labels := map[string]string{}
	for _, v := range s.vaults {
		for line := range strings.Lines(s.text("/api/v1/wallets/" + v.alias + "/labels")) {
			var l struct{ Ref, Label string }
			testkit.Check(s.t, json.Unmarshal([]byte(line), &l))
			labels[l.Ref] = l.Label
		}
	}
	for thing, want := range s.told {
		kind, name, _ := strings.Cut(thing, " ")
		var got string
		switch kind {
		case "token":
			status, _, _, err := s.exchange(ask{method: http.MethodGet, path: "/api/v1/tokens/self", bearer: name}, s.url)
			testkit.Check(s.t, err)
			got, thing = map[int]string{ok: "lives", http.StatusUnauthorized: "ended"}[status], "a token"
		case "wallet":
			status, _, _, err := s.exchange(ask{method: http.MethodGet, path: name}, s.url)
			testkit.Check(s.t, err)
			got = map[int]string{ok: "there", unknown: "gone"}[status]
		case "label":
			got = labels[name]
		case "UTXO":
			parts := strings.Split(name, "/")
			txid, vout, _ := strings.Cut(parts[6], ":")
			got = []string{"free", "frozen"}[number(s.t, db, "SELECT count(*) FROM frozen WHERE txid = $1 AND vout = $2", txid, vout)]
		case "proposal":
			var p struct{ Steps []struct{ Action string } }
			testkit.Check(s.t, json.Unmarshal([]byte(s.text(name)), &p))
			for _, step := range p.Steps { // blocks may have changed the status since
				if step.Action == want {
					got = want
				}
			}
		}
		if got != want {
			s.note("%s: %q, and %q was acknowledged", thing, got, want)
		}
	}
}

func (s *soak) text(path string) string {
	s.t.Helper()
	status, _, body, err := s.exchange(ask{method: http.MethodGet, path: path}, s.url)
	testkit.Check(s.t, err)
	if status != ok {
		s.t.Fatalf("%s: status %d: %s", path, status, body)
	}
	return string(body)
}

// nothingLeft checks that every reservation belongs to an open proposal, and every lock of
// Bitcoin Core to a reservation or a frozen UTXO.
func (s *soak) nothingLeft(dir string) {
	s.t.Helper()
	db := shell(s.t, dir)
	testkit.Eventually(s.t, "every reservation to belong to an open proposal", func() bool {
		return number(s.t, db, `SELECT count(*) FROM reserved AS r LEFT JOIN proposals AS p ON p.proposal_id = r.proposal_id
			WHERE p.proposal_id IS NULL OR p.status NOT IN ('created', 'partially_signed', 'complete')`) == 0
	})
	const held = "(SELECT wallet_id, txid, vout FROM reserved UNION SELECT wallet_id, txid, vout FROM frozen)"
	for id, name := range column(s.t, db, "SELECT wallet_id, core_name FROM wallets") {
		may := column(s.t, db, "SELECT txid || ':' || vout, '' FROM "+held+" WHERE wallet_id = $1", id)
		must := column(s.t, db, "SELECT txid || ':' || vout, '' FROM "+held+" JOIN utxos USING (wallet_id, txid, vout) WHERE wallet_id = $1", id)
		var leaked, missing []string
		defer func() { // report also after a timeout
			for _, utxo := range leaked {
				txid, vout, _ := strings.Cut(utxo, ":")
				s.t.Errorf("wallet %s: %s is locked without a reason; %v", id, utxo, column(s.t, db, `
					SELECT at, action || ' ' || outcome || ' ' || detail FROM audit WHERE detail LIKE '%' || $2 || ':' || $3 || '%'
					UNION SELECT at, action || ' of ' || proposal_id FROM proposal_steps JOIN proposal_inputs AS i USING (proposal_id) WHERE i.wallet_id = $1 AND i.txid = $2 AND i.vout = $3`, id, txid, vout))
			}
			for _, utxo := range missing {
				s.t.Errorf("wallet %s: %s is reserved but not locked", id, utxo)
			}
		}()
		testkit.Eventually(s.t, "locks in Bitcoin Core and in the index to match reserved and frozen UTXOs", func() bool {
			var list []struct {
				Txid string
				Vout int
			}
			into(s.t, &list, s.node.WalletCLI(s.t, name, "listlockunspent"))
			locked := map[string]string{}
			for _, l := range list {
				locked[fmt.Sprintf("%s:%d", l.Txid, l.Vout)] = ""
			}
			leaked, missing = without(locked, may), without(must, locked)
			indexed := column(s.t, db, "SELECT txid || ':' || vout, '' FROM locked WHERE wallet_id = $1", id)
			return len(leaked)+len(missing) == 0 && maps.Equal(indexed, locked)
		})
	}
}

// without returns the keys of the first map that are not in the second.
func without(one, other map[string]string) (keys []string) {
	for key := range one {
		if _, there := other[key]; !there {
			keys = append(keys, key)
		}
	}
	return keys
}

// column returns a map from the first column of a query's rows to the second.
func column(t *testing.T, db *sql.DB, query string, args ...any) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	all := map[string]string{}
	for rows.Next() {
		var key, value string
		testkit.Check(t, rows.Scan(&key, &value))
		all[key] = value
	}
	testkit.Check(t, rows.Err())
	return all
}

// index maps each table that is derived from Bitcoin Core to a query, which returns keys
// and values. The block that confirms a conflicting transaction is excluded: Core returns
// another one after a restart, and only the indexer uses it, until it is deep enough.
var index = map[string]string{
	"transactions": `SELECT wallet_id || ' ' || txid, concat_ws(' ', time, status, CASE status WHEN 'conflicted' THEN '' ELSE block_height END, block_hash, block_time, category, flow_sat, fee_sat, vsize,
		replaceable, trusted, address, branch, address_index, conflicts, received_at, hex(raw)) FROM transactions`,
	"outputs":   "SELECT wallet_id || ' ' || txid || ' ' || vout, concat_ws(' ', address, amount_sat, branch, address_index, spent_by) FROM outputs",
	"inputs":    "SELECT wallet_id || ' ' || txid || ' ' || prev_txid || ' ' || prev_vout, CAST(amount_sat AS TEXT) FROM inputs",
	"unspent":   "SELECT wallet_id || ' ' || txid || ' ' || vout, concat_ws(' ', address, amount_sat, branch, address_index, time, status, block_height, generated, trusted) FROM utxos",
	"locked":    "SELECT wallet_id || ' ' || txid || ' ' || vout, '' FROM locked",
	"addresses": "SELECT wallet_id || ' ' || address, concat_ws(' ', branch, address_index) FROM addresses WHERE used",
	"wallets":   "SELECT wallet_id, concat_ws(' ', synced_height, synced_hash, trusted_sat, untrusted_pending_sat, immature_sat, confirmed_sat) FROM wallets",
}

// compareWithNewIndex compares the index with the index of a new database, and returns the number of rows
// compared. It ignores incoming payments that were replaced: Core no longer lists them, so
// a new database does not have them.
func (s *soak) compareWithNewIndex(dir string, settings []string) int {
	s.t.Helper()
	fresh := s.t.TempDir()
	s.newDatabase(dir, fresh)
	startServer(s.t, fresh, settings...)
	s.catchUp(fresh)
	db, other := shell(s.t, dir), shell(s.t, fresh)
	taken := column(s.t, db, "SELECT wallet_id || ' ' || txid, address FROM transactions WHERE status IN ('replaced', 'conflicted', 'abandoned') AND category = 'receive'")
	maps.DeleteFunc(taken, func(key, _ string) bool {
		wallet, txid, _ := strings.Cut(key, " ")
		return number(s.t, other, "SELECT count(*) FROM transactions WHERE wallet_id = $1 AND txid = $2", wallet, txid) > 0
	})
	onlyTaken := map[string]bool{}
	for key, address := range taken {
		wallet, _, _ := strings.Cut(key, " ")
		onlyTaken[wallet+" "+address] = true
	}
	rows := 0
	for table, query := range index {
		got, want := column(s.t, db, query), column(s.t, other, query)
		ofTaken := func(key, _ string) bool {
			if table == "addresses" {
				_, known := want[key]
				return onlyTaken[key] && !known
			}
			parts := strings.Split(key, " ")
			if len(parts) == 1 {
				return false
			}
			_, was := taken[parts[0]+" "+parts[1]]
			return was
		}
		maps.DeleteFunc(got, ofTaken)
		maps.DeleteFunc(want, ofTaken) // Core may still have a lock on a UTXO of a replaced payment
		if rows += len(want); table == "transactions" && len(want) == 0 {
			s.t.Error("the index has no transactions")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			s.t.Errorf("%s: the index differs from a new one: -new +soaked\n%.5000s", table, diff)
		}
	}
	return rows
}

// newDatabase creates a database with the same users and wallets, and without their history.
func (s *soak) newDatabase(dir, fresh string) {
	s.t.Helper()
	initialize(s.t, fresh)
	db := shell(s.t, fresh)
	conn, err := db.Conn(s.t.Context())
	testkit.Check(s.t, err)
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{
		"ATTACH '" + filepath.Join(dir, "specterd.db") + "' AS old",
		"DELETE FROM users", "INSERT INTO users SELECT * FROM old.users",
		"INSERT INTO wallets SELECT * FROM old.wallets", "INSERT INTO members SELECT * FROM old.members", "INSERT INTO wallet_keys SELECT * FROM old.wallet_keys",
		"INSERT INTO addresses SELECT * FROM old.addresses", "UPDATE addresses SET used = 0",
		`UPDATE wallets SET synced_height = -1, synced_hash = '', core_txcount = -1, core_info = '', receive_next = 0, change_next = 0,
			trusted_sat = 0, untrusted_pending_sat = 0, immature_sat = 0, confirmed_sat = 0`,
	} {
		if _, err := conn.ExecContext(s.t.Context(), statement); err != nil {
			s.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// freeAddress returns an address on which no process listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
