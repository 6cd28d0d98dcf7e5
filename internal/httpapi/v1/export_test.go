package v1

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func TestFeeRate(t *testing.T) {
	rates := []btc.FeeRate{1, 10, 100, 1000, 1001, 1500, 12345, 12340, 10_000_000, btc.MaxFeeRate}
	for r := btc.FeeRate(7); r < btc.MaxFeeRate; r += 10_007 {
		rates = append(rates, r)
	}
	for _, rate := range rates {
		text, err := json.Marshal(feeRateOf(rate))
		if err != nil || string(text) != rate.String() {
			t.Fatalf("%s is encoded as %s, %v", rate, text, err)
		}
		var number api.FeeRate
		testkit.Check(t, json.Unmarshal(text, &number))
		if got, err := parseFeeRate("fee_rate_sat_vb", number); err != nil || got != rate {
			t.Fatalf("%s is decoded as %s, %v", text, got, err)
		}
	}
	for _, wrong := range []api.FeeRate{0, -1, 1.0005, 0.0001, 100_000.001, 1e300} {
		if got, err := parseFeeRate("fee_rate_sat_vb", wrong); err == nil || !strings.Contains(err.Error(), "fee_rate_sat_vb: must be a number of sat/vB above 0 and up to 100000, with at most three decimals") {
			t.Errorf("%v is accepted as %s, %v", wrong, got, err)
		}
	}
}

func TestCursors(t *testing.T) {
	places := []wallets.Place{{Branch: wallets.ReceiveBranch, Index: 5}, {Branch: wallets.ChangeBranch, Index: 1<<31 - 1}}
	addresses := slices.Collect(func(yield func(wallets.Address) bool) {
		for _, p := range places {
			if !yield(wallets.Address{Place: p}) {
				return
			}
		}
	})
	for i, p := range places {
		next := newList(append(addresses[i:i+1:i+1], wallets.Address{}), 1, addressOf, placeText).NextCursor
		if got, err := placeCursor(page{Cursor: *next}); err != nil || *got != p {
			t.Errorf("%v: %v %v", p, got, err)
		}
	}
	at := time.Date(2026, 11, 30, 22, 59, 59, 500_000_000, time.UTC)
	r := wallets.Record{WalletID: "the wallet", Transaction: wallets.Transaction{Txid: strings.Repeat("ab", 32), Time: at}}
	next := newList([]wallets.Record{r, {}}, 1, transactionOf, historyPlace).NextCursor
	if got, err := historyCursor(page{Cursor: *next}); err != nil || !got.Time.Equal(at) || got.Txid != r.Txid || got.WalletID != r.WalletID {
		t.Errorf("%v %v", got, err)
	}
	for _, cursor := range []string{"x", "!!!", "MiAz", "MCB4", "MCAtMQ", "MCA0Mjk0OTY3Mjk2"} { // "2 3", "0 x", "0 -1", "0 4294967296"
		if _, err := placeCursor(page{Cursor: cursor}); err == nil {
			t.Errorf("%s is accepted as a cursor of addresses", cursor)
		}
		if _, err := utxoCursor(page{Cursor: cursor}); err == nil {
			t.Errorf("%s is accepted as a cursor of UTXOs", cursor)
		}
	}
	for _, cursor := range []string{"x", "MQ", "eCB5IHo", "MCA1", "MCA1IHg", base64.RawURLEncoding.EncodeToString([]byte("0 " + strings.Repeat("é", 32) + " x"))} { // "1", "x y z", "0 5", "0 5 x"
		if _, err := historyCursor(page{Cursor: cursor}); err == nil {
			t.Errorf("%s is accepted as a cursor of transactions", cursor)
		}
	}
}
