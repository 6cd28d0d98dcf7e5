package system

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// soak generates a mixed load for a specterd, and records the acknowledged changes.
type soak struct {
	t       *testing.T
	node    *testkit.Node
	client  *http.Client
	boss    string // the token of most requests
	answers atomic.Int64
	busy    atomic.Int64 // responses with 503
	chain   sync.Mutex   // held while mining or restarting the node
	// observe, unless nil, is called with each request of the load and its response; the status
	// is 0 without a complete response.
	observe func(a ask, status int, body []byte)
	// mayBeBusy allows the status 503 for all requests.
	mayBeBusy bool

	mu     sync.Mutex
	up     chan struct{} // closed while the server runs
	life   int           // incremented when the server is killed
	url    string
	vaults []*vault
	wrong  []string // unexpected events
	told   promises
}

// promises maps objects to their last acknowledged state. An object has no entry while a
// change is in progress.
type promises map[string]string

// vault is a wallet of specterd with its signers.
type vault struct {
	alias     string
	addresses []string
	signers   []string // wallets on the node with one key each
}

// outsider is the wallet on the node that makes all payments and gets the block rewards.
const outsider = "outsider"

// ask is one request of the load.
type ask struct {
	method, path string
	body         any    // text unchanged, other types as JSON
	may          []int  // allowed statuses
	bearer       string // empty means the token boss
	password     string // of the admin, used instead of a token
	accept, etag string
	key          string // Idempotency-Key
}

// do makes a request and decodes the response into out, unless out is nil. It waits until
// the server runs. It returns the status, or 0 if the server was killed during the request,
// and records a status that is not allowed.
func (s *soak) do(a ask, out any) (int, http.Header) {
	life, url := s.running()
	status, header, body, err := s.exchange(a, url)
	if err != nil {
		status = 0
	}
	if s.observe != nil {
		s.observe(a, status, body)
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.life == life {
			s.wrong = append(s.wrong, fmt.Sprintf("%s %s: %v", a.method, a.path, err))
		}
		return 0, nil
	}
	s.answers.Add(1)
	if status == http.StatusServiceUnavailable {
		s.busy.Add(1)
	}
	if !slices.Contains(a.may, status) && (!s.mayBeBusy || status != unavailable) {
		s.note("%s %s: status %d: %.300s", a.method, a.path, status, body)
	}
	if out != nil && status < http.StatusMultipleChoices {
		if err := json.Unmarshal(body, out); err != nil {
			s.note("%s %s: %v", a.method, a.path, err)
		}
	}
	return status, header
}

// running waits until the server runs, and returns its life and URL.
func (s *soak) running() (life int, url string) {
	for {
		s.mu.Lock()
		up, life, url := s.up, s.life, s.url
		s.mu.Unlock()
		select {
		case <-up:
			return life, url
		default:
			<-up // and it may be killed before it is used
		}
	}
}

func (s *soak) exchange(a ask, url string) (status int, header http.Header, body []byte, err error) {
	var reader io.Reader
	switch body := a.body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return 0, nil, nil, err
		}
		reader = strings.NewReader(string(text))
	}
	r, err := http.NewRequest(a.method, url+a.path, reader)
	if err != nil {
		return 0, nil, nil, err
	}
	if a.bearer == "" {
		a.bearer = s.boss
	}
	r.Header.Set("Authorization", "Bearer "+a.bearer)
	if a.password != "" {
		r.SetBasicAuth("admin", a.password)
	}
	for name, value := range map[string]string{"Accept": a.accept, "If-None-Match": a.etag, "Idempotency-Key": a.key} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	if strings.HasSuffix(a.path, "/labels") {
		r.Header.Set("Content-Type", "application/jsonl")
	} else if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := s.client.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, body, err
}

func (s *soak) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

// write changes an object: it deletes the recorded state of thing before the request, and
// records after as the new state once the request has succeeded.
func (s *soak) write(a ask, thing, after string, out any) bool {
	s.mu.Lock()
	delete(s.told, thing)
	s.mu.Unlock()
	status, _ := s.do(a, out)
	if status < http.StatusOK || status >= http.StatusMultipleChoices {
		return false
	}
	s.promise(thing, after)
	return true
}

func (s *soak) promise(thing, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told[thing] = state
}

func (s *soak) vault(r *rand.Rand) *vault {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vaults[r.IntN(len(s.vaults))]
}

// load runs all workers until stop is called.
func (s *soak) load(seed uint64) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var working sync.WaitGroup
	for i, work := range []func(context.Context, *rand.Rand){
		s.read, s.read, s.useTokens, s.writeLabels, s.freeze, s.propose, s.propose, s.moveChain, s.makeWallets, s.sendInvalid,
	} {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		working.Go(func() { work(ctx, r) })
	}
	return func() {
		cancel()
		working.Wait()
		s.client.CloseIdleConnections()
	}
}

// answered waits for a number of responses. It returns false if the load is stopped before.
func (s *soak) answered(ctx context.Context, requests int) bool {
	until := s.answers.Load() + int64(requests)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for s.answers.Load() < until {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

const (
	ok          = http.StatusOK
	created     = http.StatusCreated
	noContent   = http.StatusNoContent
	notModified = http.StatusNotModified
	invalid     = http.StatusBadRequest
	unknown     = http.StatusNotFound
	conflict    = http.StatusConflict
	unable      = http.StatusUnprocessableEntity
	badGateway  = http.StatusBadGateway // the connection to the node broke during the call
	unavailable = http.StatusServiceUnavailable
)

// read makes all kinds of read requests. None of them requires the node.
func (s *soak) read(ctx context.Context, r *rand.Rand) {
	tags := map[string]string{}
	for ctx.Err() == nil {
		w := "/api/v1/wallets/" + s.vault(r).alias
		paths := []ask{
			{path: w},
			{path: w + "/addresses?limit=50"},
			{path: w + "/utxos"},
			{path: w + "/proposals"},
			{path: w + "/members"},
			{path: w + "/labels"},
			{path: w + "/transactions", accept: "text/csv"},
			{path: w + "/transactions?dead=true", accept: "application/jsonl"},
			{path: "/api/v1/wallets"},
			{path: "/api/v1/transactions?limit=30"},
			{path: "/api/v1/tokens"},
			{path: "/api/v1/users"},
			{path: "/api/v1/audit"},
			{path: "/api/v1/node"},
			{path: "/api/v1/users/me"},
			{path: "/api/v1alpha/specter"},
			{path: "/api/v1alpha/specter/full_txlist"},
			{path: "/api/healthz/liveness"},
			{path: strings.Replace(w, "v1", "v1alpha", 1)},
			{path: strings.Replace(w, "v1", "v1alpha", 1) + "/psbt"},
		}
		if r.IntN(4) == 0 {
			s.leaf(ctx, w+"/transactions?limit=20")
			continue
		}
		a := paths[r.IntN(len(paths))]
		a.method, a.may = http.MethodGet, []int{ok}
		if tag := tags[a.path+a.accept]; tag != "" && r.IntN(2) == 0 {
			a.etag, a.may = tag, []int{ok, notModified}
		}
		if _, header := s.do(a, nil); header != nil {
			tags[a.path+a.accept] = header.Get("ETag")
		}
	}
}

// leaf reads a list page by page.
func (s *soak) leaf(ctx context.Context, path string) {
	cursor := ""
	for ctx.Err() == nil {
		var page struct {
			Next *string `json:"next_cursor"`
		}
		status, _ := s.do(ask{method: http.MethodGet, path: path + cursor, may: []int{ok}}, &page)
		if status != ok || page.Next == nil {
			return
		}
		cursor = "&cursor=" + *page.Next
	}
}

// useTokens creates, rotates and deletes tokens.
func (s *soak) useTokens(ctx context.Context, r *rand.Rand) {
	var mine []madeToken
	for i := 0; ctx.Err() == nil; i++ {
		if len(mine) == 0 || len(mine) < 50 && r.IntN(3) == 0 {
			var made madeToken
			status, _ := s.do(ask{method: http.MethodPost, path: "/api/v1/tokens", may: []int{created}, body: map[string]any{
				"description": fmt.Sprintf("%d of %d", i, r.Uint64()), "lifetime": "1 day", "scopes": []string{"node:read"},
			}}, &made)
			if status == created {
				s.promise("token "+made.Secret, "lives")
				mine = append(mine, made)
			}
			continue
		}
		at := r.IntN(len(mine))
		old := mine[at]
		path := "/api/v1/tokens/" + old.ID
		switch r.IntN(4) {
		case 0:
			var made madeToken
			if s.write(ask{method: http.MethodPost, path: path + "/rotate", body: map[string]any{"grace_period": "0s"}, may: []int{created}}, "token "+old.Secret, "ended", &made) {
				s.promise("token "+made.Secret, "lives")
				mine = append(mine, made)
			}
			mine = slices.Delete(mine, at, at+1)
		case 1:
			s.write(ask{method: http.MethodDelete, path: path, may: []int{ok}}, "token "+old.Secret, "ended", nil)
			mine = slices.Delete(mine, at, at+1)
		default:
			s.do(ask{method: http.MethodGet, path: "/api/v1/tokens/self", bearer: old.Secret, may: []int{ok}}, nil)
		}
	}
}

func (s *soak) writeLabels(ctx context.Context, r *rand.Rand) {
	for i := 0; ctx.Err() == nil; i++ {
		v := s.vault(r)
		address := v.addresses[r.IntN(len(v.addresses))]
		text := fmt.Sprintf("label %d", i)
		line := fmt.Sprintf(`{"type": "addr", "ref": %q, "label": %q}`, address, text)
		s.write(ask{method: http.MethodPost, path: "/api/v1/wallets/" + v.alias + "/labels", body: line, may: []int{ok, unavailable}}, "label "+address, text, nil)
	}
}

// freeze freezes and unfreezes UTXOs.
func (s *soak) freeze(ctx context.Context, r *rand.Rand) {
	var frozen []string
	for ctx.Err() == nil {
		if len(frozen) >= 4 {
			path := frozen[0]
			frozen = frozen[1:]
			s.write(ask{method: http.MethodDelete, path: path, may: []int{noContent, unknown, conflict, badGateway, unavailable}}, "UTXO "+path, "free", nil)
			continue
		}
		v := s.vault(r)
		var utxos struct {
			Items []struct{ Txid, Vout json.RawMessage }
		}
		path := "/api/v1/wallets/" + v.alias + "/utxos"
		s.do(ask{method: http.MethodGet, path: path, may: []int{ok}}, &utxos)
		if len(utxos.Items) < 3 { // leave some for the other workers
			s.answered(ctx, 20)
			continue
		}
		c := utxos.Items[r.IntN(len(utxos.Items))]
		path += "/" + strings.Trim(string(c.Txid), `"`) + ":" + string(c.Vout) + "/freeze"
		if s.write(ask{method: http.MethodPut, path: path, may: []int{noContent, unknown, conflict, badGateway, unavailable}}, "UTXO "+path, "frozen", nil) {
			frozen = append(frozen, path)
		}
	}
}

type proposed struct {
	ID, Status, PSBT string
}

// propose creates proposals, and cancels them, leaves them open, or signs and broadcasts
// them. It replaces some broadcast transactions with ones that pay a higher fee.
func (s *soak) propose(ctx context.Context, r *rand.Rand) {
	may := []int{created, conflict, unable, badGateway, unavailable}
	var open [][2]string // path and thing
	for ctx.Err() == nil {
		v, to := s.vault(r), s.vault(r)
		path := "/api/v1/wallets/" + v.alias + "/proposals"
		recipients := []map[string]any{{"address": to.addresses[r.IntN(len(to.addresses))], "amount_sat": 10_000 + r.IntN(50_000_000)}}
		var p proposed
		status, _ := s.do(ask{
			method: http.MethodPost, path: path, may: may, key: fmt.Sprint(r.Uint64()),
			body: map[string]any{"recipients": recipients, "fee_rate_sat_vb": 1 + r.IntN(10)},
		}, &p)
		if status != created {
			s.answered(ctx, 5)
			continue
		}
		thing := "proposal " + path + "/" + p.ID
		s.promise(thing, "created")
		switch r.IntN(4) {
		case 0:
			s.cancel(path+"/"+p.ID, thing)
		case 1:
			open = append(open, [2]string{path + "/" + p.ID, thing})
			if len(open) > 3 {
				s.cancel(open[0][0], open[0][1])
				open = open[1:]
			}
		default:
			if s.send(ctx, v, path, p, r) && r.IntN(3) == 0 {
				var higher proposed
				status, _ := s.do(ask{method: http.MethodPost, path: path + "/" + p.ID + "/bump", body: map[string]any{"fee_rate_sat_vb": 15 + r.IntN(10)}, may: may}, &higher)
				if status == created {
					s.promise("proposal "+path+"/"+higher.ID, "created")
					s.send(ctx, v, path, higher, r)
				}
			}
		}
	}
}

func (s *soak) cancel(path, thing string) {
	s.write(ask{method: http.MethodDelete, path: path, may: []int{ok, conflict}}, thing, "cancelled", nil)
}

// send signs a proposal with one key after the other, and broadcasts it.
func (s *soak) send(ctx context.Context, v *vault, path string, p proposed, r *rand.Rand) bool {
	psbt, err := base64.StdEncoding.DecodeString(p.PSBT)
	if err != nil {
		s.note("the PSBT of %s: %v", p.ID, err)
		return false
	}
	path += "/" + p.ID
	for _, name := range v.signers {
		signed, err := s.node.Node.Sign(ctx, name, psbt)
		if err != nil {
			return false // the node is unavailable
		}
		status, _ := s.do(ask{method: http.MethodPost, path: path + "/signatures", body: map[string]any{"psbt": signed}, may: []int{ok, conflict}}, nil)
		if status != ok {
			return false
		}
	}
	thing := "proposal " + path
	return s.write(ask{
		method: http.MethodPost, path: path + "/broadcast", key: fmt.Sprint(r.Uint64()), may: []int{ok, conflict, unable, badGateway, unavailable},
	}, thing, "broadcast", nil)
}

// moveChain makes payments to wallets, replaces some of them, and mines.
func (s *soak) moveChain(ctx context.Context, r *rand.Rand) {
	var sent []string
	for ctx.Err() == nil {
		s.chain.Lock()
		switch {
		case r.IntN(10) == 0 && len(sent) > 0: // replace it by a payment to the outsider with a higher fee
			options := map[string]any{"fee_rate": 40, "outputs": []map[string]any{{s.outsiderAddress(ctx): "0.001"}}}
			_, _ = s.node.CallWallet(ctx, outsider, "bumpfee", sent[r.IntN(len(sent))], options) // fails if the transaction is confirmed
		case r.IntN(3) > 0:
			v := s.vault(r)
			outputs := []map[string]any{{v.addresses[r.IntN(len(v.addresses))]: fmt.Sprintf("0.%d", 1+r.IntN(9))}}
			options := map[string]any{"fee_rate": 1 + r.IntN(20), "replaceable": true}
			answer, err := s.node.CallWallet(ctx, outsider, "send", regtest.Named{"outputs": outputs, "options": options})
			var made struct{ Txid string }
			if err == nil && json.Unmarshal(answer, &made) == nil {
				sent = append(sent, made.Txid)
				sent = sent[max(0, len(sent)-10):]
			}
		default:
			_, err := s.node.Call(ctx, "generatetoaddress", 1, s.outsiderAddress(ctx))
			if err != nil && ctx.Err() == nil {
				s.note("mine: %v", err)
			}
		}
		s.chain.Unlock()
		s.answered(ctx, 10)
	}
}

func (s *soak) outsiderAddress(ctx context.Context) string {
	answer, err := s.node.CallWallet(ctx, outsider, "getnewaddress")
	var address string
	if err == nil {
		err = json.Unmarshal(answer, &address)
	}
	if err != nil && ctx.Err() == nil {
		s.note("an address of the outsider: %v", err)
	}
	return address
}

// makeWallets occasionally creates a wallet. It adds up to ten wallets to the load, and
// deletes the others.
func (s *soak) makeWallets(ctx context.Context, r *rand.Rand) {
	for s.answered(ctx, 300) {
		s.mu.Lock()
		number := len(s.vaults)
		s.mu.Unlock()
		if number < 10 && r.IntN(4) == 0 {
			_ = s.addVault(ctx, testkit.WPKH) // fails while the node is unavailable
			continue
		}
		var made struct{ Alias string }
		status, _ := s.do(s.newWallet(testkit.WPKH, int(firstKey.Add(10))), &made)
		if status == created {
			path := "/api/v1/wallets/" + made.Alias
			s.promise("wallet "+path, "there")
			s.write(ask{method: http.MethodDelete, path: path, may: []int{noContent}}, "wallet "+path, "gone", nil)
		}
	}
}

// firstKey is the number of the first signing key of the newest wallet.
var firstKey atomic.Int64

func (s *soak) newWallet(k testkit.Script, first int) ask {
	return ask{
		method: http.MethodPost, path: "/api/v1/wallets", may: []int{created, badGateway, unavailable}, key: fmt.Sprintf("wallet-%d", first),
		body: map[string]any{"name": fmt.Sprintf("%s %d", k.Name, first), "descriptor": k.Descriptor(s.t, first, "<0;1>", -1), "birthday": "now"},
	}
}

var errNotMade = errors.New("it was not made")

// addVault creates a wallet and adds it to the load.
func (s *soak) addVault(ctx context.Context, k testkit.Script) error {
	first := int(firstKey.Add(10))
	v := &vault{}
	for i := range k.SignaturesRequired() {
		name := fmt.Sprintf("signer %d of %d", i, first)
		if err := s.node.MakeSigner(ctx, name, k.Descriptor(s.t, first, "0", i), k.Descriptor(s.t, first, "1", i)); err != nil {
			return err
		}
		v.signers = append(v.signers, name)
	}
	var made struct{ Alias string }
	if status, _ := s.do(s.newWallet(k, first), &made); status != created {
		return errNotMade
	}
	v.alias = made.Alias
	path := "/api/v1/wallets/" + v.alias
	s.promise("wallet "+path, "there")
	var list struct{ Items []struct{ Address string } }
	if status, _ := s.do(ask{method: http.MethodGet, path: path + "/addresses?branch=receive&limit=20", may: []int{ok}}, &list); status != ok {
		return errNotMade
	}
	for _, a := range list.Items {
		v.addresses = append(v.addresses, a.Address)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.vaults = append(s.vaults, v)
	return nil
}

// sendInvalid makes invalid requests, and logins with wrong passwords.
func (s *soak) sendInvalid(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil {
		w := "/api/v1/wallets/" + s.vault(r).alias
		bad := []ask{
			{method: http.MethodPost, path: "/api/v1/tokens", body: `{"description": "a", "description": "b"}`, may: []int{invalid}},
			{method: http.MethodPost, path: w + "/proposals", body: map[string]any{"recipients": []any{}}, may: []int{invalid, unavailable}},
			{method: http.MethodPost, path: w + "/proposals", body: `{"recipients": [`, may: []int{invalid, unavailable}},
			{method: http.MethodPost, path: "/api/v1/wallets", body: map[string]any{"name": "x", "descriptor": "wpkh(x)"}, may: []int{invalid, unable, unavailable}},
			{method: http.MethodPut, path: w + "/utxos/nonsense/freeze", may: []int{invalid, unavailable}},
			{method: http.MethodGet, path: "/api/v1/wallets/nobodys", may: []int{unknown}},
			{method: http.MethodGet, path: w + "/transactions?cursor=nonsense", may: []int{invalid}},
			{method: http.MethodGet, path: w, bearer: "nonsense", may: []int{http.StatusUnauthorized}},
			{method: http.MethodDelete, path: "/api/v1/wallets", may: []int{http.StatusMethodNotAllowed}},
			{method: http.MethodGet, path: "/api/v1/tokens", password: "wrong password", may: []int{http.StatusUnauthorized, http.StatusTooManyRequests}},
			{method: http.MethodGet, path: "/api/v1/tokens", password: testPassword, may: []int{ok, http.StatusTooManyRequests}},
		}
		s.do(bad[r.IntN(len(bad))], nil)
		s.answered(ctx, 10)
	}
}
