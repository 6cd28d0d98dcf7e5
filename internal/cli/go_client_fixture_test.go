package cli

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// liveClient is a client of a server with the vault of the demo.
type liveClient struct {
	*client.Client
	wire  *lossyWire
	admin *client.Client
	node  *testkit.Node
	url   string
}

func newLiveClient(t *testing.T, settings ...string) *liveClient {
	t.Helper()
	l := &liveClient{node: testkit.Bitcoind(t), wire: &lossyWire{}}
	environment := serveWalkThroughsOn(t, l.node, append(settings, "SPECTER_WEBHOOK_HOSTS=127.0.0.1")...)
	l.url = settingOf(environment, "URL")
	l.admin = testkit.Value(client.New(l.url, "", client.WithPassword("admin", settingOf(environment, "ADMIN_PASSWORD"))))(t)
	token := l.token(t, "proposals:*", "wallets:*", "addresses:write", "events:read", "tokens:read", "webhooks:*", "node:read", "policies:*")
	l.Client = testkit.Value(client.New(l.url, token, client.WithHTTPClient(&http.Client{Transport: l.wire})))(t)
	return l
}

func (l *liveClient) token(t *testing.T, scopes ...string) string {
	t.Helper()
	request := v1.CreateTokenRequest{Description: t.Name() + strings.Join(scopes, " "), Lifetime: new("1 hour"), Scopes: scopes}
	return testkit.Value(l.admin.CreateToken(t.Context(), request))(t).Secret
}

// lossyWire is a connection to a real server that loses the responses of the next requests.
type lossyWire struct {
	mu     sync.Mutex
	losses []loss // one for each of the next requests
	lines  int    // of an event stream that cutOff lets through
	seen   []*http.Request
}

type loss uint8

const (
	intact loss = iota
	lose        // the server has executed the request, and the response is lost
	cutOff      // the connection ends within the response
)

func (w *lossyWire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	kind := intact
	if len(w.losses) > 0 {
		kind, w.losses = w.losses[0], w.losses[1:]
	}
	w.seen = append(w.seen, r)
	w.mu.Unlock()
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || kind == intact {
		return response, err
	}
	if kind == lose {
		_ = response.Body.Close() // the header is sent when the change is made
		return nil, io.ErrUnexpectedEOF
	}
	response.Body = &cutBody{ReadCloser: response.Body, lines: w.lines}
	return response, nil
}

// fail sets the losses of the next requests, and forgets the earlier requests.
func (w *lossyWire) fail(losses ...loss) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.losses, w.seen = losses, nil
}

func (w *lossyWire) requests() []*http.Request {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// cutBody ends with an error after some lines, or within the first line.
type cutBody struct {
	io.ReadCloser

	lines int
	ended bool
}

func (b *cutBody) Read(p []byte) (int, error) {
	if b.ended {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), 20)])
	b.ended = b.lines == 0 || err != nil
	for i, c := range p[:n] {
		if c != '\n' {
			continue
		}
		if b.lines--; b.lines <= 0 {
			b.ended = true
			return i + 1, nil
		}
	}
	return n, nil
}

func (l *liveClient) propose(t *testing.T, amount int64, options ...client.CallOption) *v1.ProposalDetails {
	t.Helper()
	request := v1.CreateProposalRequest{Recipients: []v1.Recipient{{Address: demoShop, Amount: &amount}}, FeeRate: new(v1.FeeRate(5))}
	p := testkit.Value(l.CreateProposal(t.Context(), demoVault, request, options...))(t)
	t.Cleanup(func() {
		l.wire.fail()
		ctx := context.WithoutCancel(t.Context())
		if now := testkit.Value(l.GetProposal(ctx, demoVault, client.ProposalID(*p.ID)))(t); slices.Contains([]string{"created", "partially_signed", "complete"}, now.Status) {
			testkit.Value(l.CancelProposal(ctx, demoVault, now))(t)
		}
	})
	return p
}

// sign adds the signatures of the owners of the vault.
func (l *liveClient) sign(t *testing.T, p *v1.ProposalDetails, signers ...string) *v1.ProposalDetails {
	t.Helper()
	for _, signer := range signers {
		signed := testkit.Value(l.node.Node.Sign(t.Context(), signer, testkit.Value(base64.StdEncoding.DecodeString(p.PSBT))(t)))(t)
		p = testkit.Value(l.AddSignatures(t.Context(), demoVault, p, v1.AddSignaturesRequest{PSBT: base64.StdEncoding.EncodeToString(signed)}))(t)
	}
	return p
}
