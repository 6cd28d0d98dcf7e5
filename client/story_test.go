//go:build live

package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
)

// The story of docs/tutorial.md, which the clients for Python and TypeScript tell with the same requests. It needs
// the variables that specterd demo prints; go test -run TestGoClient ./internal/cli starts a server and sets them.

const (
	vault = "community_vault"
	shop  = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"
)

func TestStory(t *testing.T) {
	t.Run("tokens and wallets", tokensAndWallets)
	t.Run("proposals", proposals)
	t.Run("recipients", recipients)
	t.Run("sign, broadcast, replace", signBroadcastReplace)
}

// value fails the test if a call failed, and otherwise returns its result.
func value[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// refused checks the status of an error.
func refused(t *testing.T, err error, status int) {
	t.Helper()
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Status != status {
		t.Fatalf("the error is %v, want one with the status %d", err, status)
	}
}

func user(t *testing.T, name string) *client.Client {
	t.Helper()
	return value(client.New(os.Getenv("URL"), "", client.WithPassword(name, os.Getenv(strings.ToUpper(name)+"_PASSWORD"))))(t)
}

// token creates a token, and returns it with a client that uses it.
func token(t *testing.T, name string, scopes ...string) (*client.Client, *v1.TokenWithSecret) {
	t.Helper()
	request := v1.CreateTokenRequest{Description: t.Name(), Lifetime: new("1 hour"), Scopes: scopes}
	created := value(user(t, name).CreateToken(t.Context(), request))(t)
	return value(client.New(os.Getenv("URL"), created.Secret))(t), created
}

func tokensAndWallets(t *testing.T) {
	ctx := t.Context()
	equal(t, "readiness", value(user(t, "admin").Readiness(ctx))(t).Message, "i am ready")
	c, created := token(t, "admin", "node:read", "wallets:*", "addresses:write")
	equal(t, "the token", value(c.GetOwnToken(ctx))(t).ID, created.ID)
	equal(t, "the chain", value(c.GetNode(ctx))(t).Chain, "regtest")

	key := "[d34db33f/84h/1h/0h]tpubD6NzVbkrYhZ4XJkWPt6cgTyouAqQFiCyggyo5B1ccrLubuk5tYBcSH861VJwtrnFUgKT79eh4fNYoULdaLzHz3SBrxN1QZHzJaTG9xwpj4P"
	wallet := value(c.CreateWallet(ctx, v1.CreateWalletRequest{Name: "Story", Descriptor: "wpkh(" + key + "/<6;7>/*)", Birthday: v1.Now()}))(t).Alias
	address := value(c.CreateAddress(ctx, wallet, v1.CreateAddressRequest{Label: "invoice 17"}))(t).Address
	equal(t, "received", value(c.GetAddress(ctx, wallet, address, nil))(t).Received, 0)
	equal(t, "the balance", value(c.GetWallet(ctx, wallet, nil))(t).Balances.Available, 0)
	page := value(c.ListTransactionsPage(ctx, wallet, &client.ListTransactionsParams{Label: "invoice 17"}))(t)
	equal(t, "payments for the invoice", len(page.Items), 0)
	var ledger bytes.Buffer
	err := c.ExportAllTransactions(ctx, &ledger, client.CSV, &client.ListAllTransactionsParams{View: "ledger"})
	equal(t, "the ledger", err == nil && strings.Contains(ledger.String(), vault), true)

	alice, _ := token(t, "alice", "wallets:read", "tokens:write")
	_, err = alice.ListUsersPage(ctx, nil)
	refused(t, err, http.StatusForbidden)
	_, err = alice.GetWallet(ctx, wallet, nil)
	refused(t, err, http.StatusNotFound)
	value(wallet, c.DeleteWallet(ctx, wallet, nil))(t)
	value(alice.DeleteOwnToken(ctx, nil))(t)

	value(user(t, "admin").DeleteToken(ctx, created.ID, nil))(t)
	_, err = c.GetOwnToken(ctx)
	refused(t, err, http.StatusUnauthorized)
}

func proposals(t *testing.T) {
	ctx := t.Context()
	c, _ := token(t, "admin", "proposals:read", "proposals:create")
	rent := v1.Recipient{Address: shop, Amount: new(int64(100_000)), Label: "rent"}
	payment := v1.CreateProposalRequest{Recipients: []v1.Recipient{rent}, FeeRate: new(v1.FeeRate(5))}
	draft := payment
	draft.DryRun = true
	equal(t, "the dry run", value(c.CreateProposal(ctx, vault, draft))(t).ID == nil, true)

	key := client.WithIdempotencyKey("rent-" + t.Name())
	created := value(c.CreateProposal(ctx, vault, payment, key))(t)
	equal(t, "the repetition", *value(c.CreateProposal(ctx, vault, payment, key))(t).ID, *created.ID)
	found := false
	for p, err := range c.ListProposals(ctx, vault, &client.ListProposalsParams{Status: []string{"created", "partially_signed", "complete"}}) {
		found = found || *value(p, err)(t).ID == *created.ID
	}
	equal(t, "it is in the list of open proposals", found, true)
	_, err := c.BroadcastProposal(ctx, vault, created, v1.BroadcastProposalRequest{})
	refused(t, err, http.StatusForbidden)
	equal(t, "the status", value(c.CancelProposal(ctx, vault, created))(t).Status, "cancelled")
}

func recipients(t *testing.T) {
	c, _ := token(t, "admin", "proposals:read", "proposals:create")
	dryRun := func(request v1.CreateProposalRequest) *v1.ProposalDetails {
		request.DryRun = true
		return value(c.CreateProposal(t.Context(), vault, request))(t)
	}
	coffee := v1.Recipient{Address: strings.ToUpper("bitcoin:" + shop + "?amount=0.0005&label=coffee")}
	equal(t, "the amount of a URI", dryRun(v1.CreateProposalRequest{Recipients: []v1.Recipient{coffee}}).Amount, 50_000)
	several := []v1.Recipient{{Address: shop, Amount: new(int64(20_000))}, {Address: shop, Amount: new(int64(30_000))}, {Data: new("6869")}}
	data := ""
	for _, output := range dryRun(v1.CreateProposalRequest{Recipients: several, Duplicates: true}).Outputs {
		if output.Data != nil {
			data = *output.Data
		}
	}
	equal(t, "the data", data, "6869")
	equal(t, "the amount of a CSV", dryRun(v1.CreateProposalRequest{CSV: "address;amount_btc;label\n" + shop + ";0.0005;salary\n"}).Amount, 50_000)
}

func signBroadcastReplace(t *testing.T) {
	ctx := t.Context()
	c, _ := token(t, "admin", "proposals:*", "wallets:read")
	sign := func(p *v1.ProposalDetails) *v1.ProposalDetails {
		p = value(c.GetProposal(ctx, vault, p))(t)
		for i, signer := range []string{"ann", "cleo"} {
			var signed struct{ PSBT string }
			callNode(t, "/wallet/"+signer, "walletprocesspsbt", &signed, p.PSBT)
			p = value(c.AddSignatures(ctx, vault, p, v1.AddSignaturesRequest{PSBT: signed.PSBT}))(t)
			equal(t, "the status", p.Status, []string{"partially_signed", "complete"}[i])
		}
		return p
	}
	rent := v1.Recipient{Address: shop, Amount: new(int64(100_000)), Label: "rent"}
	first := sign(value(c.CreateProposal(ctx, vault, v1.CreateProposalRequest{Recipients: []v1.Recipient{rent}, FeeRate: new(v1.FeeRate(5))}))(t))
	first = value(c.BroadcastProposal(ctx, vault, first, v1.BroadcastProposalRequest{}))(t)
	equal(t, "the status", first.Status, "broadcast")

	second := sign(value(c.BumpProposal(ctx, vault, first, v1.BumpProposalRequest{FeeRate: new(v1.FeeRate(20))}))(t))
	second = value(c.BroadcastProposal(ctx, vault, second, v1.BroadcastProposalRequest{}))(t)
	equal(t, "the status of the replaced proposal", value(c.GetProposal(ctx, vault, first))(t).Status, "replaced")
	page := value(c.ListTransactionsPage(ctx, vault, &client.ListTransactionsParams{Unconfirmed: true}))(t)
	equal(t, "an unconfirmed transaction", page.Items[0].Txid+" "+page.Items[0].Status, *second.FinalTxid+" mempool")
	_, err := c.AbandonProposal(ctx, vault, second)
	refused(t, err, http.StatusConflict)

	callNode(t, "", "generatetoaddress", nil, 1, shop)
	value(c.WaitFor(ctx, vault, second, "confirmed"))(t)
	equal(t, "the category", value(c.GetTransaction(ctx, vault, *second.FinalTxid, nil))(t).Category, "send")
}

// callNode calls an RPC method of the node.
func callNode(t *testing.T, path, method string, result any, params ...any) {
	t.Helper()
	body := value(json.Marshal(map[string]any{"method": method, "params": params}))(t)
	request := value(http.NewRequestWithContext(t.Context(), http.MethodPost, os.Getenv("NODE_URL")+path, bytes.NewReader(body)))(t)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // the body was read
	answer := struct{ Result any }{result}
	value(answer, json.NewDecoder(response.Body).Decode(&answer))(t)
	equal(t, method, response.StatusCode, http.StatusOK)
}
