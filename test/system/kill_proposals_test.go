package system

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestKilledWhileProposing kills the server while proposals are created and cancelled and
// addresses are revealed. Acknowledged changes must survive, no address may be revealed
// twice, and the node must have locked exactly the UTXOs of the open proposals.
func TestKilledWhileProposing(t *testing.T) {
	t.Parallel()
	const utxos = 20
	p := &payments{t: t, node: testkit.Bitcoind(t, "-unsafesqlitesync"), proposals: map[string]state{}, labels: map[string]string{}}
	dir := t.TempDir()
	begin := func() { p.server = startServer(t, dir, nodeSettings(p.node)...) }
	begin()
	p.fund(utxos)
	kills, round := testkit.Size(2, 100), 0
	for ; round < kills || min(len(p.proposals), len(p.labels)) < kills; round++ {
		process := p.server.cmd.Process
		kill := time.AfterFunc(100*time.Millisecond+rand.N(500*time.Millisecond), func() { _ = process.Kill() })
		p.load(round)
		kill.Stop()
		p.server.kill()
		begin()
		p.compare()
	}
	testkit.Figure(t, "%d kills: %d proposals and %d labelled addresses acknowledged, none lost, none twice; the node's locks are right after each, and none are left",
		round, len(p.proposals), len(p.labels))
}

// payments records the acknowledged changes to a wallet.
type payments struct {
	t      *testing.T
	node   *testkit.Node
	server *server
	token  string
	core   string // the wallet's name on the node

	mu        sync.Mutex
	proposals map[string]state  // by id
	labels    map[string]string // by address
	fresh     []string          // ids and addresses that compare has not checked yet
}

type newAddress struct{ Address string }

type shownProposal struct {
	ID, Status string
	Inputs     []struct {
		Txid string
		Vout int
	}
}

// call makes a request for the wallet, and returns the status.
func (p *payments) call(method, path string, body, out any) int {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	return call(ctx, method, p.server.url+"/api/v1/wallets/one"+path, p.token, body, out)
}

// fund creates the wallet and pays a million satoshis to each of a number of its addresses.
func (p *payments) fund(utxos int) {
	p.t.Helper()
	const payer = "payer"
	p.node.CLI(p.t, "createwallet", payer)
	var to string
	testkit.Check(p.t, json.Unmarshal(p.node.WalletCLI(p.t, payer, "getnewaddress"), &to))
	p.node.CLI(p.t, "generatetoaddress", 101, to)
	p.token = p.server.token("boss").Secret
	c := outageClient{t: p.t, url: p.server.url, token: p.token}
	testkit.Eventually(p.t, "the node status", func() bool {
		return call(p.t.Context(), http.MethodGet, p.server.url+"/api/healthz/readyness", p.token, nil, nil) == http.StatusOK
	})
	c.do(http.MethodPost, "/api/v1/wallets", orderOf("one", 1), http.StatusCreated)
	var loaded []string
	testkit.Check(p.t, json.Unmarshal(p.node.CLI(p.t, "listwallets"), &loaded))
	p.core = slices.DeleteFunc(loaded, func(name string) bool { return name == payer })[0]
	outputs := map[string]float64{}
	for range utxos {
		var made newAddress
		c.into(&made, c.do(http.MethodPost, "/api/v1/wallets/one/addresses", map[string]any{}, http.StatusCreated))
		outputs[made.Address] = 0.01
	}
	p.node.WalletCLI(p.t, payer, "sendmany", "", outputs)
	p.node.CLI(p.t, "generatetoaddress", 1, to)
	c.reaches(102)
}

// load creates and cancels proposals and reveals addresses until the server does not respond. A refusal
// without a reason in this load fails the test, which otherwise might never have enough proposals.
func (p *payments) load(round int) {
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := 0; p.propose(i%2 == 1) && p.revealAddress(fmt.Sprintf("%d/%d/%d", round, worker, i)); i++ {
			}
		})
	}
	wg.Wait()
}

func (p *payments) propose(cancel bool) bool {
	var made shownProposal
	status := p.call(http.MethodPost, "/proposals", map[string]any{
		"recipients":      []map[string]any{{"address": "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", "amount_sat": 900_000}},
		"fee_rate_sat_vb": 30, // so that Core selects as few UTXOs as possible
	}, &made)
	if status != http.StatusCreated {
		return p.refused("a proposal", status, http.StatusConflict) // there may be no UTXO left
	}
	p.note(func() { p.proposals[made.ID] = alive }, made.ID)
	if !cancel {
		return true
	}
	became := unsure
	if status = p.call(http.MethodDelete, "/proposals/"+made.ID, nil, nil); status == http.StatusOK {
		became = deleted
	}
	p.note(func() { p.proposals[made.ID] = became })
	return status != 0
}

func (p *payments) revealAddress(label string) bool {
	var made newAddress
	status := p.call(http.MethodPost, "/addresses", map[string]any{"label": label}, &made)
	if status != http.StatusCreated {
		return p.refused("an address", status)
	}
	p.note(func() {
		if was := p.labels[made.Address]; was != "" {
			p.t.Errorf("%s was revealed for %s and for %s", made.Address, was, label)
		}
		p.labels[made.Address] = label
	}, made.Address)
	return true
}

// refused reports whether there was a response, and fails the test if its status is neither 503, as
// without the node, nor one of the given statuses.
func (p *payments) refused(what string, status int, permitted ...int) bool {
	if status != 0 && !slices.Contains(append(permitted, http.StatusServiceUnavailable), status) {
		p.t.Errorf("%s was refused with status %d\n%s", what, status, p.server.log)
	}
	return status != 0
}

func (p *payments) note(what func(), fresh ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
	p.fresh = append(p.fresh, fresh...)
}

// compare checks the changes that were acknowledged since the last call, checks the node's
// locks, and cancels the open proposals.
func (p *payments) compare() {
	p.t.Helper()
	for _, what := range p.fresh {
		if label := p.labels[what]; label != "" {
			var found struct{ Items []struct{ Label string } }
			status := call(p.t.Context(), http.MethodGet, p.server.url+"/api/v1/addresses/"+what, p.token, nil, &found)
			if status != http.StatusOK || len(found.Items) != 1 || found.Items[0].Label != label {
				p.t.Errorf("the address %s of %s: status %d, %+v", what, label, status, found)
			}
			continue
		}
		var found shownProposal
		status := p.call(http.MethodGet, "/proposals/"+what, nil, &found)
		want := map[state]string{alive: "created", deleted: "cancelled", unsure: found.Status}[p.proposals[what]]
		if status != http.StatusOK || found.Status != want {
			p.t.Errorf("the proposal %s: status %d, %s, want %s", what, status, found.Status, want)
		}
	}
	p.fresh = nil
	var open struct{ Items []shownProposal }
	if status := p.call(http.MethodGet, "/proposals?status=created&limit=100", nil, &open); status != http.StatusOK {
		p.t.Fatalf("list the open proposals: status %d\n%s", status, p.server.log)
	}
	spent := map[string]bool{}
	for _, o := range open.Items {
		for _, in := range o.Inputs {
			at := fmt.Sprintf("%s:%d", in.Txid, in.Vout)
			if spent[at] {
				p.t.Errorf("the UTXO %s is in two proposals", at)
			}
			spent[at] = true
		}
	}
	p.wantLocks(spent)
	for _, o := range open.Items {
		testkit.Eventually(p.t, "a proposal to be cancelled", func() bool { return p.call(http.MethodDelete, "/proposals/"+o.ID, nil, nil) == http.StatusOK })
	}
	p.wantLocks(map[string]bool{})
}

func (p *payments) wantLocks(wanted map[string]bool) {
	p.t.Helper()
	testkit.Eventually(p.t, fmt.Sprintf("%d UTXOs locked on the node", len(wanted)), func() bool {
		var list []struct {
			Txid string
			Vout int
		}
		testkit.Check(p.t, json.Unmarshal(p.node.WalletCLI(p.t, p.core, "listlockunspent"), &list))
		locked := map[string]bool{}
		for _, at := range list {
			locked[fmt.Sprintf("%s:%d", at.Txid, at.Vout)] = true
		}
		return maps.Equal(locked, wanted)
	})
}
