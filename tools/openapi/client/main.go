//go:build generated

// This is a client for a running server. It uses the code that oapi-codegen
// generates from the OpenAPI specification. TestGeneratedClient in internal/httpapi
// generates that code, compiles it together with this file, and runs the program.
package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"os"

	_ "github.com/oapi-codegen/runtime" // imported by the generated code
	"github.com/oapi-codegen/runtime/types"
)

// amountSat is an integer that a float32 cannot represent.
const amountSat = 1<<24 + 1

func main() {
	if err := run(context.Background(), os.Getenv("WALLET"), os.Getenv("PAYEE")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, wallet, payee string) error {
	api, err := NewClientWithResponses(os.Getenv("SPECTERD"), WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
		return nil
	}))
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, *ClientWithResponses, string, string) error{read, propose, proposeAsBefore} {
		if err := step(ctx, api, wallet, payee); err != nil {
			return err
		}
	}
	return nil
}

func read(ctx context.Context, api *ClientWithResponses, wallet, _ string) error {
	self, err := api.GetOwnTokenWithResponse(ctx)
	if err != nil {
		return err
	}
	if self.JSON200 == nil || self.JSON200.Id == (types.UUID{}) || self.JSON200.Wallets != nil {
		return fmt.Errorf("tokens/self: %s", self.Body)
	}
	missing, err := api.GetWalletWithResponse(ctx, "missing", nil)
	if err != nil {
		return err
	}
	if missing.ApplicationproblemJSON404 == nil || missing.ApplicationproblemJSON404.Code != "wallet_not_found" {
		return fmt.Errorf("a missing wallet: %s", missing.Body)
	}
	page, err := api.ListTransactionsWithResponse(ctx, wallet, nil)
	if err != nil {
		return err
	}
	if page.JSON200 == nil || len(page.JSON200.Items) == 0 {
		return fmt.Errorf("transactions: %s", page.Body)
	}
	for _, tx := range page.JSON200.Items {
		if tx.FlowSat == 50*100_000_000 {
			return nil
		}
	}
	return fmt.Errorf("no transaction of 50 BTC: %s", page.Body)
}

func propose(ctx context.Context, api *ClientWithResponses, wallet, payee string) error {
	amount, rate := int64(amountSat), 2.125
	made, err := api.CreateProposalWithResponse(ctx, wallet, nil, CreateProposalRequest{
		Recipients: &[]Recipient{{Address: &payee, AmountSat: &amount}}, FeeRateSatVb: &rate,
	})
	if err != nil {
		return err
	}
	p := made.JSON201
	if p == nil || p.AmountSat != amount || p.Id == nil || !p.Replaceable {
		return fmt.Errorf("the proposal: %s", made.Body)
	}
	for _, out := range p.Outputs {
		isPayment := out.Address != nil && *out.Address == payee
		if isPayment && (out.AmountSat != amount || out.Branch != nil) || !isPayment && out.Branch == nil {
			return fmt.Errorf("the outputs: %s", made.Body)
		}
	}
	return nil
}

func proposeAsBefore(ctx context.Context, api *ClientWithResponses, wallet, payee string) error {
	var amount V1alphaNumeral
	if err := amount.FromV1alphaNumeral0(float64(amountSat) / 1e8); err != nil {
		return err
	}
	made, err := api.V1alphaCreatePSBTWithResponse(ctx, wallet, V1alphaCreatePSBTRequest{
		Recipients: []V1alphaRecipient{{Address: payee, Amount: amount, Unit: "btc"}},
		FeeRate:    &V1alphaNumeral{union: []byte("2")},
	})
	if err != nil {
		return err
	}
	if made.JSON200 == nil {
		return fmt.Errorf("the proposal of v1alpha: %s", made.Body)
	}
	p := made.JSON200.Result
	if p.Sats[0] != amountSat || math.Round(p.Amount[0]*1e8) != amountSat || math.Round(p.Fee*1e8) != float64(p.FeeSat) {
		return fmt.Errorf("the amounts of v1alpha: %s", made.Body)
	}
	return nil
}
