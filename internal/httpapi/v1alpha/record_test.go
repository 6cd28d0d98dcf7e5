package v1alpha

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

func transactions() map[string]wallet.Record {
	fee := btc.Amount(649)
	confirmed := wallet.State{
		Status: wallet.Confirmed, Replaceable: "no",
		Block: &wallet.Block{Height: 116, Hash: "767e1900567b152c", Time: time.Unix(1795290648, 999_999_000)},
	}
	return map[string]wallet.Record{
		"received": {
			Transaction: wallet.Transaction{
				Txid: "43884d3d", Time: time.Unix(1795290364, 500_000_000), State: confirmed, Category: wallet.Receive, Flow: 77_000_000, VSize: 141,
				Address: "bcrt1qq3c", Own: &wallet.Place{Branch: wallet.ReceiveBranch, Index: 5}, Raw: []byte{2, 0, 0xff},
			},
			Alias: "simple_one", Confirmations: 71,
		},
		"sent": {
			Transaction: wallet.Transaction{
				Txid: "f58a2453", Time: time.Unix(1795290343, 0), State: confirmed, Category: wallet.Send, Flow: -10_200_649, Fee: &fee, VSize: 222,
				Address: "bcrt1q5q", Raw: []byte{2},
			},
			Alias: "überweisung", Confirmations: 71, AddressLabel: "lab \"one\" </script>\u2028\x01", Label: "not shown",
		},
		"to itself": {
			Transaction: wallet.Transaction{
				Txid: "f3fdf940", Time: time.Unix(1795290791, 0), Category: wallet.SelfTransfer, Flow: -332, Fee: new(btc.Amount(332)), VSize: 134,
				State:   wallet.State{Status: wallet.InMempool, Replaceable: "yes", Conflicts: []string{"aa", "bb"}},
				Address: "2N2tc", Own: &wallet.Place{Branch: wallet.ChangeBranch, Index: 12}, Raw: []byte{2},
			},
			Alias: "nested",
		},
		"no address": {
			Transaction: wallet.Transaction{
				Txid: "00", Time: time.Unix(0, 0), State: wallet.State{Status: wallet.Inactive, Replaceable: "unknown"}, Category: wallet.Mixed, Flow: -5,
			},
			Alias: "a\xffb",
		},
		"a foreign address": {
			Transaction: wallet.Transaction{Txid: "01", State: wallet.State{Replaceable: "no"}, Category: wallet.Send, Fee: new(btc.Amount), Address: "bcrt1qx"},
		},
	}
}

// TestRecords_MatchSchema checks that the append functions produce the same JSON as the
// encoder does for the types in the OpenAPI specification.
func TestRecords_MatchSchema(t *testing.T) {
	tip := wallet.Tip{Height: 186}
	utxo := wallet.Unspent{Outpoint: btc.Outpoint{Vout: 3}, Address: "bcrt1qcoin", Amount: 1, Locked: true}
	for name, r := range transactions() {
		wantMatch[listedRecord](t, name, appendListed(nil, &r, tip))
		wantMatch[storedRecord](t, name, appendStored(nil, &r))
		wantMatch[utxoRecord](t, name, appendUTXO(nil, &r, &utxo, tip))
	}
	for _, a := range []wallet.LabelledAddress{
		{Address: "x", Own: &wallet.Place{Branch: wallet.ChangeBranch, Index: 7}, Used: true},
		{Address: "y", Label: "\"", Own: &wallet.Place{}},
		{Address: "z", Label: "z"},
	} {
		wantMatch[map[string]addressObject](t, a.Address, append(appendAddress([]byte{'{'}, a), '}'))
	}
}

func wantMatch[T any](t *testing.T, name string, text []byte) {
	t.Helper()
	var described T
	if err := json.Unmarshal(text, &described, json.RejectUnknownMembers(true)); err != nil {
		t.Errorf("%s: %v in %s", name, err, text)
	}
	again, err := json.Marshal(described)
	if err != nil || string(again) != string(text) {
		t.Errorf("%s: %v\ngot\n%s, want\n%s", name, err, text, again)
	}
}

func TestRecordValues(t *testing.T) {
	all := transactions()
	for _, c := range []struct{ name, field, want string }{
		{"received", "label", `"Address #5"`},
		{"received", "amount", "0.77"},
		{"received", "fee", "null"},
		{"received", "hex", `"0200ff"`},
		{"received", "time", "1795290364"},
		{"received", "blocktime", "1795290648"},
		{"received", "confirmations", "71"},
		{"received", "_current_blockheight", "186"},
		{"received", "conflicts", "[]"},
		{"sent", "flow_amount", "-0.10200649"},
		{"sent", "fee", "0.00000649"},
		{"sent", "amount", "0.102"},
		{"sent", "label", "\"lab \\\"one\\\" </script>\u2028\\u0001\""},
		{"sent", "wallet_alias", `"überweisung"`},
		{"to itself", "label", `"Change #12"`},
		{"to itself", "amount", "0.0"},
		{"to itself", "blockheight", "null"},
		{"to itself", "blocktime", "null"},
		{"to itself", "confirmations", "0"},
		{"to itself", "_current_blockheight", "200"},
		{"to itself", "conflicts", `["aa","bb"]`},
		{"no address", "address", `"Unknown"`},
		{"no address", "label", `"Unknown"`},
		{"no address", "amount", "0.00000005"},
		{"no address", "fee", "null"},
		{"no address", "wallet_alias", "\"a\ufffdb\""},
		{"a foreign address", "label", `"bcrt1qx"`},
		{"a foreign address", "fee", "0.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var fields map[string]jsontext.Value
			r := all[c.name]
			if err := json.Unmarshal(appendListed(nil, &r, wallet.Tip{Height: 200}), &fields); err != nil {
				t.Fatal(err)
			}
			if got := string(fields[c.field]); got != c.want {
				t.Errorf("%s: %s is %s, want %s", c.name, c.field, got, c.want)
			}
		})
	}
}
