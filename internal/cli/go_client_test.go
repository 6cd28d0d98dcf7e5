package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const (
	demoVault = "community_vault"
	demoShop  = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"
)

// TestGoClient uses the Go client with a server and a node, on both databases.
func TestGoClient(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind and PostgreSQL")
	for name, database := range map[string]func() []string{
		"SQLite": func() []string { return nil },
		"PostgreSQL": func() []string {
			return []string{"SPECTER_DATABASE_URL=" + testkit.Postgres(t), "SECRET_KEY=" + strings.Repeat("k", 32)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiveClient(t, database()...)
			t.Run("payments", l.testPayments)
			t.Run("repetitions", l.testRepetitions)
			t.Run("lists", l.testLists)
			t.Run("errors", l.testErrors)
			t.Run("events", l.testEvents)
			t.Run("latest events", l.testLatestEvents)
			t.Run("webhooks", l.testWebhooks)
			t.Run("policies", l.testPolicies)
			t.Run("files", l.testFiles)
			t.Run("changes", l.testChanges)
		})
	}
}

// testPayments creates, signs, broadcasts, replaces and confirms a proposal.
func (l *liveClient) testPayments(t *testing.T) {
	ctx := t.Context()
	first := l.propose(t, 20_000)
	half := l.sign(t, first, "ann")
	_, err := l.BroadcastProposal(ctx, demoVault, first, v1.BroadcastProposalRequest{}) // has the version from before the signature
	if e, ok := errors.AsType[*client.Error](err); !ok || !errors.Is(err, client.ErrProposalChanged) || e.Status != http.StatusPreconditionFailed || e.RequestID == "" {
		t.Errorf("a broadcast of an earlier version: %v", err)
	}
	soon, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if _, err := l.WaitFor(soon, demoVault, half, "complete"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait without time: %v", err)
	}
	complete := testkit.Value(l.WaitFor(ctx, demoVault, l.sign(t, half, "cleo"), "complete"))(t)

	l.wire.fail(lose)
	sent := testkit.Value(l.BroadcastProposal(ctx, demoVault, complete, v1.BroadcastProposalRequest{}))(t)
	n := 0
	for _, step := range sent.Steps {
		if step.Action == "broadcast" {
			n++
		}
	}
	keys := l.wire.requests()
	if sent.Status != "broadcast" || n != 1 || len(keys) != 2 || keys[0].Header.Get("Idempotency-Key") != keys[1].Header.Get("Idempotency-Key") {
		t.Errorf("the proposal is %s, with %d broadcasts after %d requests", sent.Status, n, len(keys))
	}

	replacement := testkit.Value(l.BumpProposal(ctx, demoVault, client.ProposalID(*sent.ID), v1.BumpProposalRequest{FeeRate: new(v1.FeeRate(20.125))}))(t)
	if replacement.RequestedFeeRate == nil || *replacement.RequestedFeeRate != 20.125 {
		t.Errorf("the fee rate of the replacement is %v", replacement.RequestedFeeRate)
	}
	replaced := testkit.Value(l.BroadcastProposal(ctx, demoVault, l.sign(t, replacement, "ann", "cleo"), v1.BroadcastProposalRequest{}))(t)
	if _, err := l.WaitFor(ctx, demoVault, first, "confirmed"); !errors.Is(err, client.ErrProposalClosed) || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("a wait for the replaced proposal: %v", err)
	}
	l.node.Mine(t, 1)
	confirmed := testkit.Value(l.WaitFor(ctx, demoVault, replaced, "confirmed"))(t)
	transaction := testkit.Value(l.GetTransaction(ctx, demoVault, *confirmed.FinalTxid, nil))(t)
	if transaction.Category != "send" || *transaction.Fee != confirmed.Fee {
		t.Errorf("the transaction is %+v, and the proposal has the fee %d", transaction, confirmed.Fee)
	}
}

// testRepetitions loses responses after the server has executed the requests.
func (l *liveClient) testRepetitions(t *testing.T) {
	ctx := t.Context()
	ids := func() map[string]bool {
		found := map[string]bool{}
		for p, err := range l.ListProposals(ctx, demoVault, nil) {
			testkit.Check(t, err)
			found[*p.ID] = true
		}
		return found
	}
	before := ids()
	l.wire.fail(lose, cutOff)
	p := l.propose(t, 30_000)
	if after := ids(); len(after) != len(before)+1 || !after[*p.ID] {
		t.Errorf("%d proposals before, %d after three requests", len(before), len(after))
	}
	key := client.WithIdempotencyKey(t.Name())
	if a, b := l.propose(t, 31_000, key), l.propose(t, 31_000, key); *a.ID != *b.ID {
		t.Errorf("%s and %s have the same key", *a.ID, *b.ID)
	}
	request := v1.CreateProposalRequest{Recipients: []v1.Recipient{{Address: demoShop, Amount: new(int64(1000))}}}
	if _, err := l.CreateProposal(ctx, demoVault, request, key); !errors.Is(err, client.ErrIdempotencyKeyReused) {
		t.Errorf("a key of another request: %v", err)
	}
	l.wire.fail(lose)
	_, err := l.AddSignatures(ctx, demoVault, p, v1.AddSignaturesRequest{PSBT: p.PSBT}) // takes no key
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.ErrNetwork || e.Attempts != 1 {
		t.Errorf("signatures whose response is lost: %v", err)
	}
}

func (l *liveClient) testLists(t *testing.T) {
	ctx := t.Context()
	created := map[string]bool{}
	for range 25 {
		a := testkit.Value(l.CreateAddress(ctx, demoVault, v1.CreateAddressRequest{Label: "page"}))(t)
		created[a.Address] = true
	}
	l.wire.fail()
	listed := map[string]bool{}
	for a, err := range l.ListAddresses(ctx, demoVault, &client.ListAddressesParams{Limit: 10, Label: new("page")}) {
		testkit.Check(t, err)
		listed[a.Address] = true
	}
	if n := len(l.wire.requests()); n != 3 || !maps.Equal(listed, created) {
		t.Errorf("%d requests for %d addresses, want 25", n, len(listed))
	}
	page := testkit.Value(l.ListAddressesPage(ctx, demoVault, &client.ListAddressesParams{Limit: 10, Label: new("page")}))(t)
	if len(page.Items) != 10 || page.NextCursor == nil || page.AsOf == nil {
		t.Errorf("the page is %+v", page)
	}
	if mine, err := l.IsMine(ctx, page.Items[0].Address); err != nil || !mine {
		t.Errorf("an address of the wallet: %v, %v", mine, err)
	}
	if mine, err := l.IsMine(ctx, demoShop); err != nil || mine {
		t.Errorf("an address of others: %v, %v", mine, err)
	}
	var all []v1.LoggedEvent
	for e, err := range l.ListEvents(ctx, demoVault, &client.ListEventsParams{Limit: 7}) {
		testkit.Check(t, err)
		all = append(all, e)
	}
	if want := l.events(t); !slices.EqualFunc(all, want, func(a, b v1.LoggedEvent) bool { return a.ID == b.ID }) || len(want) < 25 {
		t.Errorf("%d events, want %d", len(all), len(want))
	}
}

// events returns all events of the vault.
func (l *liveClient) events(t *testing.T) []v1.LoggedEvent {
	t.Helper()
	return testkit.Value(l.ListEventsPage(t.Context(), demoVault, &client.ListEventsParams{Limit: 1000}))(t).Items
}

func (l *liveClient) testErrors(t *testing.T) {
	ctx := t.Context()
	narrow := testkit.Value(client.New(l.url, l.token(t, "node:read")))(t)
	unknown := testkit.Value(client.New(l.url, "unknown"))(t)
	expensive := v1.CreateProposalRequest{Recipients: []v1.Recipient{{Address: demoShop, Amount: new(int64(1e15))}}}
	for name, test := range map[string]struct {
		call   func() error
		code   client.Code
		status int
	}{
		"insufficient funds": {func() error { _, err := l.CreateProposal(ctx, demoVault, expensive); return err }, client.ErrInsufficientFunds, 409},
		"an unknown wallet":  {func() error { _, err := l.GetWallet(ctx, "nobodys", nil); return err }, client.ErrWalletNotFound, 404},
		"a missing scope":    {func() error { _, err := narrow.GetWallet(ctx, demoVault, nil); return err }, client.ErrInsufficientScope, 403},
		"an unknown token":   {func() error { _, err := unknown.GetNode(ctx); return err }, client.ErrUnauthenticated, 401},
		"an invalid request": {func() error { _, err := l.CreateProposal(ctx, demoVault, v1.CreateProposalRequest{}); return err }, "", 400},
		"a list":             {func() error { return last(narrow.ListWallets(ctx, nil)) }, client.ErrInsufficientScope, 403},
		"a stream":           {func() error { return last(unknown.Events(ctx, "", nil)) }, client.ErrUnauthenticated, 401},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			e, ok := errors.AsType[*client.Error](err)
			if !ok || e.Status != test.status || test.code != "" && !errors.Is(err, test.code) || test.status == 400 && len(e.Fields) == 0 || test.status == 403 && e.RequiredScope != "wallets:read" {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// last returns the last error of an iterator.
func last[T any](seq func(func(T, error) bool)) (err error) {
	for _, err = range seq {
	}
	return err
}

// testEvents checks that a stream which is cut continues without a gap and without a repetition.
func (l *liveClient) testEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	logged := l.events(t)
	l.wire.lines = 13
	l.wire.fail(cutOff, lose, cutOff, cutOff)
	var got []string
	for e, err := range l.Events(ctx, logged[0].ID, &client.EventsParams{Wallet: demoVault}) {
		testkit.Check(t, err)
		got = append(got, e.ID)
		if len(got) == len(logged)-1 {
			l.wire.mu.Lock()
			n := len(l.wire.seen)
			l.wire.mu.Unlock()
			if n != 5 {
				t.Errorf("%d connections, want 5", n)
			}
			testkit.Value(l.CreateAddress(ctx, demoVault, v1.CreateAddressRequest{Label: "new"}))(t)
		}
		if len(got) == len(logged) {
			if e.Type != "address.revealed" {
				t.Errorf("the new event is %+v", e)
			}
			break
		}
	}
	for i, e := range logged[1:] {
		if got[i] != e.ID {
			t.Fatalf("the events are %q", got)
		}
	}
}

// testLatestEvents checks that the position of a stream without events is kept when it ends.
func (l *liveClient) testLatestEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l.wire.lines = 2 // the position and the end of its message
	l.wire.fail(cutOff)
	found := make(chan string, 1)
	go func() {
		for e, err := range l.Events(ctx, "latest", nil) {
			found <- e.Type + testErrorText(err)
			return
		}
	}()
	testkit.Eventually(t, "the second connection", func() bool { return len(l.wire.requests()) == 2 })
	if second := l.wire.requests()[1]; second.Header.Get("Last-Event-ID") == "" {
		t.Errorf("the second connection is %s, without Last-Event-ID", second.URL)
	}
	testkit.Value(l.CreateAddress(ctx, demoVault, v1.CreateAddressRequest{}))(t)
	if got := <-found; got != "address.revealed" {
		t.Errorf("the event is %s", got)
	}
}

func testErrorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// testWebhooks verifies what the server sends, also with the old secret during a rotation.
func (l *liveClient) testWebhooks(t *testing.T) {
	ctx := t.Context()
	type message struct {
		header http.Header
		body   []byte
	}
	messages := make(chan message, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		messages <- message{r.Header, body}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	made := testkit.Value(l.CreateWebhook(ctx, v1.CreateWebhookRequest{Description: t.Name(), URL: receiver.URL, Kinds: []string{"webhook"}}))(t)
	rotated := testkit.Value(l.RotateWebhookSecret(ctx, made.ID, v1.RotateSecretRequest{}))(t)
	if result := testkit.Value(l.TestWebhook(ctx, made.ID))(t); !result.OK {
		t.Fatalf("the result is %+v", result)
	}
	sent := <-messages
	for _, secrets := range [][]string{{made.Secret}, {rotated.Secret}, {made.Secret, rotated.Secret}} {
		if m, err := client.VerifyWebhook(sent.header, sent.body, secrets...); err != nil || m.Type != "webhook.test" {
			t.Errorf("%+v, %v", m, err)
		}
	}
	if _, err := client.VerifyWebhook(sent.header, append(sent.body, ' '), made.Secret); !errors.Is(err, client.ErrUntrustedMessage) {
		t.Errorf("another body: %v", err)
	}
	testkit.Check(t, l.DeleteWebhook(ctx, made.ID))
}

func (l *liveClient) testPolicies(t *testing.T) {
	ctx := t.Context()
	policy := func(most string) v1.PutPolicyRequest {
		return v1.PutPolicyRequest{Policy: v1.Document(`{"version": 1, "allow": [{"name": "petty cash", "windows": [{"per": "7d", "max_sat": ` + most + `}]}]}`)}
	}
	if _, err := l.GetPolicy(ctx, demoVault, nil); !errors.Is(err, client.ErrPolicyNotFound) {
		t.Errorf("a missing policy: %v", err)
	}
	testkit.Value(l.PutPolicy(ctx, demoVault, policy("1000000")))(t)
	t.Cleanup(func() { testkit.Value(l.DeletePolicy(context.WithoutCancel(ctx), demoVault))(t) })
	read := testkit.Value(l.GetPolicy(ctx, demoVault, nil))(t)
	testkit.Value(l.PutPolicy(ctx, demoVault, policy("900000"), client.IfMatch(read)))(t)
	if _, err := l.PutPolicy(ctx, demoVault, policy("800000"), client.IfMatch(read)); !errors.Is(err, client.ErrPolicyModified) {
		t.Errorf("an earlier version: %v", err)
	}
	_, err := l.CreateProposal(ctx, demoVault, v1.CreateProposalRequest{Recipients: []v1.Recipient{{Address: demoShop, Amount: new(int64(2_000_000))}}, FeeRate: new(v1.FeeRate(2))})
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != client.ErrPolicyRefused || len(e.Limits) == 0 || e.Limits[0].Rule != "petty cash" {
		t.Errorf("a payment above the limit: %v", err)
	}
}

func (l *liveClient) testFiles(t *testing.T) {
	ctx := t.Context()
	a := testkit.Value(l.CreateAddress(ctx, demoVault, v1.CreateAddressRequest{Label: "invoice 1"}))(t)
	imported := testkit.Value(l.ImportLabels(ctx, demoVault, []v1.Label{{Type: "addr", Ref: a.Address, Label: new("invoice 2")}, {Type: "addr", Ref: "x", Label: new("y")}}))(t)
	if imported.Imported != 1 || len(imported.Failed) != 1 || imported.Failed[0].Line != 2 {
		t.Errorf("imported %+v", imported)
	}
	labels := testkit.Value(l.ExportLabels(ctx, demoVault))(t)
	if !slices.ContainsFunc(labels, func(label v1.Label) bool { return label.Ref == a.Address && *label.Label == "invoice 2" }) {
		t.Errorf("the labels are %+v", labels)
	}
	if file := testkit.Value(l.ExportWallet(ctx, demoVault, "descriptor"))(t); !bytes.HasPrefix(file, []byte("wsh(")) {
		t.Errorf("the file is %s", file)
	}
	var csv, lines, ledger bytes.Buffer
	testkit.Check(t, l.ExportTransactions(ctx, &csv, demoVault, client.CSV, nil))
	testkit.Check(t, l.ExportAllTransactions(ctx, &lines, client.JSONLines, nil))
	testkit.Check(t, l.ExportTransactions(ctx, &ledger, demoVault, client.CSV, &client.ListTransactionsParams{View: "ledger"}))
	n := 0
	for _, err := range l.ListTransactions(ctx, demoVault, nil) {
		testkit.Check(t, err)
		n++
	}
	if n == 0 || strings.Count(csv.String(), "\n") != n+1 || strings.Count(lines.String(), "\n") < n || !strings.Contains(ledger.String(), "balance_sat") {
		t.Errorf("%d transactions; CSV:\n%s\nledger:\n%s", n, csv.String(), ledger.String())
	}
	l.wire.lines = 1
	l.wire.fail(cutOff)
	if err := l.ExportTransactions(ctx, io.Discard, demoVault, client.CSV, nil); !errors.Is(err, client.ErrNetwork) {
		t.Errorf("an export that is cut: %v", err)
	}
}

func (l *liveClient) testChanges(t *testing.T) {
	ctx := t.Context()
	limited := testkit.Value(l.ChangeWallet(ctx, demoVault, v1.ChangeWalletRequest{MaxFeeRate: v1.Set(v1.FeeRate(50.5))}))(t)
	restored := testkit.Value(l.ChangeWallet(ctx, demoVault, v1.ChangeWalletRequest{MaxFeeRate: v1.Clear[v1.FeeRate]()}))(t)
	if limited.MaxFeeRate == nil || *limited.MaxFeeRate != 50.5 || restored.MaxFeeRate != nil {
		t.Errorf("the maximum is %v, then %v", limited.MaxFeeRate, restored.MaxFeeRate)
	}
	utxos := testkit.Value(l.ListUTXOsPage(ctx, demoVault, &client.ListUTXOsParams{Limit: 1}))(t)
	outpoint := utxos.Items[0].Txid + ":" + "0"
	if utxos.Items[0].Vout == 1 {
		outpoint = utxos.Items[0].Txid + ":1"
	}
	l.wire.fail(lose)
	testkit.Check(t, l.FreezeUTXO(ctx, demoVault, outpoint))
	for frozen, want := range map[bool]bool{true: true, false: false} {
		page := testkit.Value(l.ListUTXOsPage(ctx, demoVault, &client.ListUTXOsParams{Frozen: &frozen}))(t)
		if got := slices.ContainsFunc(page.Items, func(u v1.UTXO) bool { return u.Txid == utxos.Items[0].Txid && u.Vout == utxos.Items[0].Vout }); got != want {
			t.Errorf("frozen=%v lists the output: %v", frozen, got)
		}
	}
	testkit.Check(t, l.UnfreezeUTXO(ctx, demoVault, outpoint))
}
