package proposal_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// meeting makes two RPC calls wait for each other.
type meeting struct {
	arrived map[string]chan struct{}
	once    map[string]*sync.Once
}

func newMeeting(methods ...string) meeting {
	m := meeting{map[string]chan struct{}{}, map[string]*sync.Once{}}
	for _, method := range methods {
		m.arrived[method], m.once[method] = make(chan struct{}), new(sync.Once)
	}
	return m
}

// forward forwards a call to the node, once all methods of the meeting have been called.
func (m meeting) forward(x *testkit.Exchange) {
	for method, once := range m.once {
		if x.Calls(method) {
			once.Do(func() { close(m.arrived[method]) })
			for _, other := range m.arrived {
				select {
				case <-other:
				case <-x.Context().Done():
				}
			}
		}
	}
	x.Forward()
}

// TestCreate_NodeChecks checks that the node tests a payment and looks up its ancestors at the
// same time, and that each of them can refuse the payment alone.
func TestCreate_NodeChecks(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	relay := testkit.NewRelay(t, n)
	w := newWorldAt(t, n, relay.URL(), t.TempDir()+"/specterd.db")
	v := w.vault(testkit.WSH, 1_000_000)
	v.sent(pay(100_000, 2000)) // whose change is unconfirmed
	for name, c := range map[string]struct {
		node func(*testkit.Exchange)
		want *fault.Error // nil if the payment is accepted
	}{
		"at the same time": {newMeeting("getmempoolentry", "testmempoolaccept").forward, nil},
		"ancestors of an impossible size": {func(x *testkit.Exchange) {
			if x.Calls("getmempoolentry") {
				x.Answer(http.StatusOK, bytes.ReplaceAll(inMempool(t, x), []byte(`"vsize":100000`), []byte(`"vsize":0`)))
				return
			}
			x.Forward()
		}, rpcclient.ErrInvalidResponse},
		"a rejected payment does not wait for its ancestors": {func(x *testkit.Exchange) {
			switch {
			case x.Calls("getmempoolentry"):
				<-x.Context().Done()
			case x.Calls("testmempoolaccept"):
				x.Answer(http.StatusOK, []byte(`{"id": `+x.ID()+`, "error": null, "result": [{"allowed": false, "reject-reason": "dust"}]}`))
			default:
				x.Forward()
			}
		}, proposal.ErrAmountTooSmall},
	} {
		t.Run(name, func(t *testing.T) {
			relay.Intercept(c.node)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			o := pay(50_000, 2000)
			o.DryRun = true
			p, err := v.Create(ctx, v.access(v.alice, v.alias), o)
			switch {
			case c.want != nil && !errors.Is(err, c.want):
				t.Errorf("got %v and not %v", err, c.want)
			case c.want == nil && (err != nil || p.Ancestors.UTXOs != 1 || p.Ancestors.Transactions != 1):
				t.Errorf("got %v, ancestors %+v", err, p.Ancestors)
			}
		})
	}
}
