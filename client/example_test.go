package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
)

// The other examples use this context and this client.
var (
	ctx = context.Background()
	c   *client.Client
)

func Example() {
	c, err := client.New("https://specterd.example", os.Getenv("TOKEN"))
	if err != nil {
		log.Fatal(err)
	}
	wallet, err := c.GetWallet(context.Background(), "savings", nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(wallet.Balances.Available, "sat are available")
}

func Example_errors() {
	rent := v1.Recipient{Address: "bc1q…", Amount: new(int64(100_000))}
	_, err := c.CreateProposal(ctx, "savings", v1.CreateProposalRequest{Recipients: []v1.Recipient{rent}})
	if errors.Is(err, client.ErrInsufficientFunds) {
		log.Print("the wallet has too little money")
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		for _, f := range e.Fields {
			log.Printf("%s: %s", f.Field, f.Message)
		}
		log.Print(e.Code, e.RequiredScope, e.RequestID)
	}
}

// A proposal carries its version: Broadcast fails if another user has changed the proposal.
func ExampleClient_CreateProposal() {
	order := client.WithIdempotencyKey("order-17") // a restarted program gets the same proposal
	p, err := c.CreateProposal(ctx, "savings", v1.CreateProposalRequest{
		Recipients:   []v1.Recipient{{Address: "bc1q…", Amount: new(int64(100_000)), Label: "rent"}},
		TargetBlocks: new(3),
	}, order)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sign this:", p.PSBT)
	complete, err := c.WaitFor(ctx, "savings", p, "complete")
	if err != nil {
		log.Fatal(err)
	}
	if _, err = c.BroadcastProposal(ctx, "savings", complete, v1.BroadcastProposalRequest{}); errors.Is(err, client.ErrProposalChanged) {
		log.Print("the proposal has changed; read it again")
	}
}

func ExampleClient_BumpProposal() {
	replacement, err := c.BumpProposal(ctx, "savings", client.ProposalID("3f1c…"), v1.BumpProposalRequest{FeeRate: new(v1.FeeRate(12.5))})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("sign the replacement:", replacement.PSBT)
}

func ExampleClient_CreateAddress() {
	a, err := c.CreateAddress(ctx, "savings", v1.CreateAddressRequest{Label: "invoice 17"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Address)
}

func ExampleClient_IsMine() {
	mine, err := c.IsMine(ctx, "bc1q…")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(mine)
}

func ExampleClient_CreateWallet() {
	wallet, err := c.CreateWallet(ctx, v1.CreateWalletRequest{
		Name:     "Savings",
		Keys:     []string{"[d34db33f/84h/0h/0h]xpub6ERApfZwUNrhLCkDtcHTcxd75RbzS1ed54G1LkBUHQVHQKqhMkhgbmJbZRkrgZw4koxb5JaHWkY4ALHY2grBGRjaDMzQLcgJvLJuZZvRcEL"},
		Birthday: v1.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(wallet.Alias, wallet.Descriptor)
}

func ExampleClient_ChangeWallet() {
	limit := v1.ChangeWalletRequest{MaxFeeRate: v1.Set(v1.FeeRate(50))} // v1.Clear removes the limit
	if _, err := c.ChangeWallet(ctx, "savings", limit); err != nil {
		log.Fatal(err)
	}
}

func ExampleClient_ListTransactions() {
	received := &client.ListTransactionsParams{Category: "receive", Since: "2026-01-01"}
	for t, err := range c.ListTransactions(ctx, "savings", received) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(t.Time, t.Flow, t.Label)
	}
}

func ExampleClient_ExportTransactions() {
	file, err := os.Create("savings.csv")
	if err != nil {
		log.Fatal(err)
	}
	if err := c.ExportTransactions(ctx, file, "savings", client.CSV, &client.ListTransactionsParams{View: "ledger"}); err != nil {
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
}

func ExampleClient_FreezeUTXO() {
	for u, err := range c.ListUTXOs(ctx, "savings", &client.ListUTXOsParams{Label: new("do not spend")}) {
		if err != nil {
			log.Fatal(err)
		}
		if err := c.FreezeUTXO(ctx, "savings", fmt.Sprintf("%s:%d", u.Txid, u.Vout)); err != nil {
			log.Fatal(err)
		}
	}
}

func ExampleClient_ImportLabels() {
	result, err := c.ImportLabels(ctx, "savings", []v1.Label{{Type: "addr", Ref: "bc1q…", Label: new("invoice 17")}})
	if err != nil {
		log.Fatal(err)
	}
	for _, line := range result.Failed {
		log.Printf("line %d: %s", line.Line, line.Message)
	}
}

// The events of all wallets after the last processed event.
func ExampleClient_Events() {
	position := "" // read from the database of the program
	for e, err := range c.Events(ctx, position, &client.EventsParams{Kinds: []string{"transaction"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.ID, e.Type, string(e.Data)) // write the ID together with the result
	}
}

// The events that exist already, in pages.
func ExampleClient_ListEvents() {
	for e, err := range c.ListEvents(ctx, "savings", &client.ListEventsParams{Kinds: []string{"proposal"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.ID, e.Type)
	}
}

func ExampleClient_CreateWebhook() {
	webhook, err := c.CreateWebhook(ctx, v1.CreateWebhookRequest{Description: "shop", URL: "https://shop.example/hooks/specterd", Kinds: []string{"transaction"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("store this secret:", webhook.Secret)
}

func ExampleVerifyWebhook() {
	secret := os.Getenv("WEBHOOK_SECRET")
	http.HandleFunc("/hooks/specterd", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body is incomplete", http.StatusBadRequest)
			return
		}
		message, err := client.VerifyWebhook(r.Header, body, secret)
		if err != nil {
			http.Error(w, "the signature is invalid", http.StatusForbidden)
			return
		}
		log.Print(message.ID, message.Type) // ignore an ID that was processed before
		w.WriteHeader(http.StatusNoContent)
	})
}

func ExampleClient_CreateToken() {
	admin, err := client.New("https://specterd.example", "", client.WithPassword("alice", os.Getenv("PASSWORD")))
	if err != nil {
		log.Fatal(err)
	}
	token, err := admin.CreateToken(ctx, v1.CreateTokenRequest{Description: "shop", Lifetime: new("90 days"), Scopes: []string{"addresses:write"}, Wallets: []string{"savings"}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("shown once:", token.Secret)
}

func ExampleClient_CreateUser() {
	user, err := c.CreateUser(ctx, v1.CreateUserRequest{Name: "alice", Password: os.Getenv("NEW_PASSWORD")})
	if errors.Is(err, client.ErrUserExists) {
		log.Fatal("there is such a user")
	} else if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.Name)
}

func ExampleClient_PutMember() {
	if _, err := c.PutMember(ctx, "savings", "alice", v1.PutMemberRequest{Role: "signer"}); err != nil {
		log.Fatal(err)
	}
}

func ExampleClient_CreateInvitation() {
	invitation, err := c.CreateInvitation(ctx, "savings", v1.CreateInvitationRequest{User: "bob", Role: "viewer"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("valid until", invitation.ExpiresAt.Format(time.DateOnly))
}

func ExampleClient_ListDevices() {
	for d, err := range c.ListDevices(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(d.Alias, d.Type)
	}
}

// The policy is changed only if it has not changed since it was read.
func ExampleClient_PutPolicy() {
	current, err := c.GetPolicy(ctx, "savings", nil)
	if err != nil {
		log.Fatal(err)
	}
	policy := v1.Document(`{"version": 1, "allow": [{"name": "petty cash", "windows": [{"per": "7d", "max_sat": 1000000}]}]}`)
	result, err := c.PutPolicy(ctx, "savings", v1.PutPolicyRequest{Policy: policy}, client.IfMatch(current))
	if err != nil {
		log.Fatal(err)
	}
	if result.Pending != nil {
		fmt.Println("takes effect at", result.Pending.EffectiveAt)
	}
}

func ExampleClient_GetFees() {
	fees, err := c.GetFees(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range fees.Estimates {
		if e.FeeRate != nil {
			fmt.Println(e.Target, "blocks:", *e.FeeRate, "sat/vB")
		}
	}
}

func ExampleClient_GetNode() {
	node, err := c.GetNode(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(node.Blocks, node.Reachable)
}

func ExampleClient_ListAudit() {
	for e, err := range c.ListAudit(ctx, &client.ListAuditParams{Action: "token", Since: "2026-11-01"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.At, e.Action, e.Outcome)
	}
}

func ExampleClient_Readiness() {
	if _, err := c.Readiness(ctx); err != nil {
		log.Fatal("not ready: ", err)
	}
}

func ExampleIfNoneMatch() {
	p, err := c.GetProposal(ctx, "savings", client.ProposalID("3f1c…"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.GetProposal(ctx, "savings", p, client.IfNoneMatch(p)); errors.Is(err, client.ErrNotModified) {
		fmt.Println("nothing has changed")
	}
}

func ExampleError() {
	var err error = &client.Error{Code: client.ErrInsufficientFunds, Status: 409, Message: "the available balance is too low"}
	fmt.Println(errors.Is(err, client.ErrInsufficientFunds))
	fmt.Println(err)
	// Output:
	// true
	// the available balance is too low (insufficient_funds, status 409)
}
