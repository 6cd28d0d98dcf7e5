package v1

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/btc"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func TestFeeRate(t *testing.T) {
	for perKvB, want := range map[btc.Amount]string{0: "0", 1: "0.001", 10: "0.01", 100: "0.1", 1000: "1", 1500: "1.5", 12345: "12.345", 12340: "12.34", 10_000_000: "10000"} {
		t.Run(fmt.Sprint(perKvB), func(t *testing.T) {
			if got, err := json.Marshal(feeRate(perKvB)); err != nil || string(got) != want {
				t.Errorf("%d: %s, %v", perKvB, got, err)
			}
		})
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
