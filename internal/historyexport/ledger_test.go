package historyexport

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // embeds all time zones

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

func TestWriteLedger(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	entries := []wallet.Entry{
		{Kind: wallet.EntryOpening, Alias: "vault", Time: at, Amount: 200_000_000, Balance: 200_000_000},
		{
			Kind: wallet.EntryTransfer, Alias: "-vault", Time: at, Amount: -150_000_000, Fee: new(btc.Amount(332)), Balance: 49_999_668, Address: "bcrt1qxyz",
			Label: "=1+1", Counterparty: "@other", Txid: "ab", TxLabel: `a "b"`, Vout: new(uint32), Status: wallet.Confirmed, Block: &wallet.Block{Height: 7},
			Proposal: &wallet.ProposalRef{ID: "id", UserName: "+alice"},
		},
	}
	const want = "date,wallet,kind,amount_btc,fee_btc,balance_btc,amount_sat,fee_sat,balance_sat,address,label,counterparty_wallet,txid,vout,status,block_height," +
		"transaction_label,proposal_id,proposed_by\r\n" +
		"2026-12-01 04:44:59,vault,opening,2.0,,2.0,200000000,,200000000,,,,,,,,,,\r\n" +
		"2026-12-01 04:44:59,'-vault,transfer,-1.5,0.00000332,0.49999668,-150000000,332,49999668,bcrt1qxyz,'=1+1,'@other,ab,0,confirmed,7," +
		"\"a \"\"b\"\"\",id,'+alice\r\n"
	broken := errors.New("broken")
	for _, bom := range []bool{false, true} {
		t.Run(fmt.Sprintf("byte order mark %t", bom), func(t *testing.T) {
			var out bytes.Buffer
			w := bufio.NewWriter(&out)
			err := WriteLedger(w, bom, zone, func(yield func(wallet.Entry, error) bool) {
				for _, e := range entries {
					yield(e, nil)
				}
				yield(wallet.Entry{}, broken)
			})
			if !errors.Is(err, broken) || w.Flush() != nil {
				t.Errorf("got %v", err)
			}
			got, marked := strings.CutPrefix(out.String(), "\ufeff")
			if got != want || marked != bom {
				t.Errorf("mark %t, got  %s\nwant %s", marked, got, want)
			}
		})
	}
}
