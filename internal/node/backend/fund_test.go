package backend_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// fakeNode is a node with responses set by the test; it records the calls.
type fakeNode struct {
	mu    sync.Mutex
	calls []wireCall
}

type wireCall struct {
	ID     json.Number
	Method string
	Params json.RawMessage
}

// provider returns a provider for a fake node of the given version. The node responds
// to a call with the output of result, or not at all if that is empty.
func (s *fakeNode) provider(t testing.TB, version int, result func(method string) string) *backend.Provider {
	t.Helper()
	stop := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call wireCall
		_ = json.NewDecoder(r.Body).Decode(&call)
		s.mu.Lock()
		s.calls = append(s.calls, call)
		s.mu.Unlock()
		text := result(call.Method)
		if text == "" {
			<-stop
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, fmt.Sprintf(`{"result":%s,"error":null,"id":%s}`, text, call.ID))
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(stop) })
	rpc, err := rpcclient.New(rpcclient.Config{URL: srv.URL, User: "u", Password: "p"})
	testkit.Check(t, err)
	t.Cleanup(rpc.Close)
	return backend.NewProvider(backend.New(rpc), func() nodestatus.Status {
		return nodestatus.Status{Reachable: true, Snapshot: nodestatus.Snapshot{Chain: "regtest", Version: version, RelayFee: "0.00001000"}}
	})
}

func (s *fakeNode) methods() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		list = append(list, c.Method)
	}
	return list
}

const emptyPSBT = `{"psbt":"cHNidP8=","fee":0.00000141,"changepos":-1}`

// TestFund_OneCall checks that funding a payment takes one call, in which amounts
// and fee rates are exact.
func TestFund_OneCall(t *testing.T) {
	t.Parallel()
	f := proposal.Funding{
		Outputs:       []proposal.FundingOutput{{Address: "b", Amount: 2_099_999_997_690_000}, {Address: "a", Amount: 1}},
		Inputs:        []btc.Outpoint{{Txid: noHash, Vout: 7}},
		AddInputs:     true,
		MinConf:       1,
		ChangeAddress: "c",
		LockTime:      800_000,
		FeeRate:       3333,
		SubtractFrom:  []int{1},
	}
	const common = `[[{"txid":"` + noHash + `","vout":7}],[{"b":20999999.9769},{"a":0.00000001}],800000,` +
		`{"add_inputs":true,"changeAddress":"c","fee_rate":3.333,"lockUnspents":false,"minconf":1,"replaceable":false,"subtractFeeFromOutputs":[1]},true`
	for version, want := range map[int]string{290403: common + `]`, 310000: common + `]`, 320000: common + `,null,0]`} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			var s fakeNode
			p := s.provider(t, version, func(string) string { return emptyPSBT })
			funded, err := p.Fund(t.Context(), in("w"), f)
			testkit.Check(t, err)
			if diff := cmp.Diff(proposal.Funded{PSBT: []byte("psbt\xff"), Fee: 141, ChangePosition: -1}, funded); diff != "" {
				t.Error(diff)
			}
			if len(s.calls) != 1 || s.calls[0].Method != "walletcreatefundedpsbt" || string(s.calls[0].Params) != want {
				t.Errorf("version %d: %s", version, s.calls)
			}
		})
	}

	var s fakeNode
	p := s.provider(t, 290000, func(string) string { return emptyPSBT })
	f = proposal.Funding{TargetBlocks: 6, ChangeAddress: "c"}
	_, err := p.Fund(t.Context(), in("w"), f)
	testkit.Check(t, err)
	const want = `[[],[],0,{"add_inputs":false,"changeAddress":"c","conf_target":6,"lockUnspents":false,"minconf":0,"replaceable":false,"subtractFeeFromOutputs":[]},true]`
	if got := string(s.calls[0].Params); got != want {
		t.Errorf("got %s", got)
	}
}

func TestBadFunding(t *testing.T) {
	t.Parallel()
	for _, result := range []string{
		`null`, `{}`, `{"psbt":"","fee":1,"changepos":-1}`, `{"psbt":"?","fee":1,"changepos":-1}`,
		`{"psbt":"cHNidP8=","fee":-1,"changepos":-1}`, `{"psbt":"cHNidP8=","fee":0.000000001,"changepos":-1}`, `{"psbt":"cHNidP8=","fee":1,"changepos":-2}`,
	} {
		t.Run(result, func(t *testing.T) {
			var s fakeNode
			_, err := s.provider(t, 290000, func(string) string { return result }).Fund(t.Context(), in("w"), proposal.Funding{})
			wantErr(t, err, rpcclient.ErrInvalidResponse)
		})
	}
	for _, result := range []string{`null`, `[]`, `[{"allowed":true},{"allowed":true}]`} {
		t.Run(result, func(t *testing.T) {
			var s fakeNode
			err := s.provider(t, 290000, func(string) string { return result }).Test(t.Context(), wallet.NodeWallet{}, []byte{1})
			wantErr(t, err, rpcclient.ErrInvalidResponse)
		})
	}
}

// TestWatched checks that a long call is not canceled while the node responds to
// pings, and is canceled within two seconds if the node does not respond.
func TestWatched(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *backend.Provider) error{
		"Fund": func(ctx context.Context, p *backend.Provider) error {
			_, err := p.Fund(ctx, in("w"), proposal.Funding{})
			return err
		},
		"Test": func(ctx context.Context, p *backend.Provider) error {
			return p.Test(ctx, wallet.NodeWallet{}, []byte{1})
		},
		"Send": func(ctx context.Context, p *backend.Provider) error {
			return p.Send(ctx, wallet.NodeWallet{}, []byte{1})
		},
	}
	results := map[string]string{"walletcreatefundedpsbt": emptyPSBT, "testmempoolaccept": `[{"allowed":true}]`, "sendrawtransaction": `"` + noHash + `"`}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var slow fakeNode
			p := slow.provider(t, 290000, func(method string) string {
				if method == "uptime" {
					return "1"
				}
				<-time.After(2500 * time.Millisecond)
				return results[method]
			})
			testkit.Check(t, call(t.Context(), p))
			if n := len(slow.methods()); n < 4 {
				t.Errorf("the node received %d requests", n)
			}

			var hung fakeNode
			p = hung.provider(t, 290000, func(string) string { return "" })
			start := time.Now()
			err := call(t.Context(), p)
			wantErr(t, err, rpcclient.ErrUnavailable)
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("gave up after %v", took)
			}

			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			wantErr(t, call(ctx, p), context.DeadlineExceeded)
		})
	}
}

// TestWatched_UnderLoad checks that no call is canceled while the node answers one of
// several calls from time to time, even if it answers no ping.
func TestWatched_UnderLoad(t *testing.T) {
	t.Parallel()
	var s fakeNode
	var turn sync.Mutex
	p := s.provider(t, 290000, func(method string) string {
		if method == "uptime" {
			return ""
		}
		turn.Lock() // Core also executes the calls for a wallet sequentially
		defer turn.Unlock()
		<-time.After(300 * time.Millisecond)
		return emptyPSBT
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := p.Fund(t.Context(), in("w"), proposal.Funding{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestFund_HangingNode covers a real node that hangs, recovers, and stops.
func TestFund_HangingNode(t *testing.T) {
	t.Parallel()
	p := provide(t)
	p.payer(t, "payer")
	v := p.vault(t, testkit.WPKH, 1_000_000)
	v.make(t, v.payment(10_000, 1000))
	p.Suspend()
	testkit.Eventually(t, "the node hangs", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := p.Call(ctx, "uptime")
		return err != nil
	})
	start := time.Now()
	_, err := v.Fund(t.Context(), in(v.name), v.payment(10_000, 1000))
	wantErr(t, err, rpcclient.ErrUnavailable)
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("gave up after %v", took)
	}
	p.Resume()
	v.make(t, v.payment(10_000, 1000))
	p.Stop(t)
	_, err = v.Fund(t.Context(), in(v.name), v.payment(10_000, 1000)) // the monitor has not noticed the stopped node yet
	wantErr(t, err, rpcclient.ErrUnavailable)
	p.monitor.Check(t.Context())
	for _, err := range []error{v.Test(t.Context(), wallet.NodeWallet{}, nil), v.Send(t.Context(), wallet.NodeWallet{}, nil)} {
		wantErr(t, err, rpcclient.ErrUnavailable)
	}
}
