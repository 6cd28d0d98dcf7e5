package system

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// alphaWallet has the fields of GET /api/v1alpha/wallets/hot/ that the tests compare.
type alphaWallet struct {
	Wallet struct {
		Address      string                 `json:"address"`
		AddressIndex int                    `json:"address_index"`
		Info         map[string]any         `json:"info"`
		Descriptor   string                 `json:"descriptor"`
		Receive      string                 `json:"recv_descriptor"`
		Change       string                 `json:"change_descriptor"`
		LastBlock    string                 `json:"last_block"`
		Transactions map[string]alphaRecord `json:"_transactions"`
		Balance      map[string]btc.JSONBTC `json:"balance"`
	} `json:"hot"`
	TxList []alphaRecord `json:"txlist"`
	Scan   *float64      `json:"scan"`
	UTXO   []alphaRecord `json:"utxo"`
}

type alphaRecord struct {
	Txid          string       `json:"txid"`
	Fee           *btc.JSONBTC `json:"fee"`
	BlockHeight   *int         `json:"blockheight"`
	BlockHash     *string      `json:"blockhash"`
	Time          int          `json:"time"`
	BlockTime     *int         `json:"blocktime"`
	Conflicts     []string     `json:"conflicts"`
	Replaceable   string       `json:"bip125-replaceable"`
	Hex           string       `json:"hex"`
	VSize         int          `json:"vsize"`
	Address       string       `json:"address"`
	Category      string       `json:"category"`
	Confirmations int          `json:"confirmations"`
	Amount        btc.JSONBTC  `json:"amount"`
	Vout          *int         `json:"vout"`
}

// TestV1alpha_MatchesCore compares the transactions and UTXOs that v1alpha returns for a
// wallet with Bitcoin Core's.
func TestV1alpha_MatchesCore(t *testing.T) {
	node := testkit.Bitcoind(t)
	core := coreWallet{t, node, "hot"}
	node.CLI(t, "createwallet", core.name)
	receive, change := core.descriptors()
	node.CLI(t, "generatetoaddress", 103, core.address()) // three block rewards are mature
	s := startServer(t, t.TempDir(), nodeSettings(node)...)
	var made madeToken
	call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": "x", "lifetime": "1 hour"}, &made)
	c := outageClient{t: t, url: s.url, token: made.Secret}
	c.do(http.MethodPost, "/api/v1/wallets", map[string]any{"name": "Hot", "descriptor": receive, "change_descriptor": change, "birthday": 0}, http.StatusCreated)

	const outside = "bcrt1qqyqszqgpqyqszqgpqyqszqgpqyqszqgpvxat9t" // without a known key
	replaced := core.send(outside, "1.5")
	var bumped struct{ Txid string }
	decodeJSON(t, core.cli("bumpfee", replaced, map[string]any{"fee_rate": 20}), &bumped)
	core.send(core.address(), "0.25")
	node.Mine(t, 1)
	last := core.send(outside, "0.125")

	best := jsonText(t, node.CLI(t, "getbestblockhash"))
	var got alphaWallet
	testkit.Eventually(t, "the index is complete", func() bool {
		got = alphaWallet{}
		c.into(&got, c.do(http.MethodGet, "/api/v1alpha/wallets/hot/", nil, http.StatusOK))
		_, known := got.Wallet.Transactions[last]
		return known && got.Wallet.LastBlock == best && got.Scan == nil
	})
	watched := coreWallet{t, node, fmt.Sprint(got.Wallet.Info["walletname"])}
	got.compareWithCore(t, watched)
	if got.Wallet.Transactions[replaced].Txid == "" || slices.ContainsFunc(got.TxList, func(r alphaRecord) bool { return r.Txid == replaced }) {
		t.Error("the replaced transaction must be in _transactions and not in txlist")
	}
	if len(got.TxList) != len(got.Wallet.Transactions)-1 {
		t.Errorf("%d of %d transactions are listed", len(got.TxList), len(got.Wallet.Transactions))
	}
	var all []alphaRecord
	if c.into(&all, c.do(http.MethodGet, "/api/v1alpha/specter/full_txlist/", nil, http.StatusOK)); !reflect.DeepEqual(all, got.TxList) {
		t.Errorf("full_txlist is %v, txlist is %v", all, got.TxList)
	}
}

func (a *alphaWallet) compareWithCore(t *testing.T, core coreWallet) {
	t.Helper()
	w := a.Wallet
	equal := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %v, in Core %v", what, got, want)
		}
	}
	var info map[string]any
	decodeJSON(t, core.cli("getwalletinfo"), &info)
	equal("info", w.Info, info)
	var balances struct{ Mine map[string]btc.JSONBTC }
	decodeJSON(t, core.cli("getbalances"), &balances)
	for name, amount := range w.Balance {
		equal(name, amount, balances.Mine[name])
	}
	var expansion struct {
		Both []string `json:"multipath_expansion"`
	}
	decodeJSON(t, core.node.CLI(t, "getdescriptorinfo", w.Descriptor), &expansion)
	equal("descriptor", []string{w.Receive, w.Change}, expansion.Both)
	var addresses []string
	decodeJSON(t, core.node.CLI(t, "deriveaddresses", w.Receive, []int{w.AddressIndex, w.AddressIndex}), &addresses)
	equal("address", []string{w.Address}, addresses)
	for txid, r := range w.Transactions {
		r.compareWithCore(t, txid, core, equal)
	}
	var utxos []struct {
		Txid    string
		Vout    int
		Address string
		Amount  btc.JSONBTC
	}
	decodeJSON(t, core.cli("listunspent", 0), &utxos)
	want, got := map[string]any{}, map[string]any{}
	for _, c := range utxos {
		want[fmt.Sprint(c.Txid, ":", c.Vout)] = []any{c.Address, c.Amount}
	}
	for _, c := range a.UTXO {
		got[fmt.Sprint(c.Txid, ":", *c.Vout)] = []any{c.Address, c.Amount}
	}
	equal("utxo", got, want)
}

func (r *alphaRecord) compareWithCore(t *testing.T, txid string, core coreWallet, equal func(what string, got, want any)) {
	t.Helper()
	var want struct {
		Fee           btc.JSONBTC
		BlockHeight   *int
		BlockHash     *string
		BlockTime     *int
		Time          int
		Confirmations int
		Conflicts     []string `json:"walletconflicts"`
		Replaceable   string   `json:"bip125-replaceable"`
		Hex           string
		Generated     bool
		Decoded       struct{ VSize int }
	}
	decodeJSON(t, core.cli("gettransaction", txid, true, true), &want)
	equal("blockheight", r.BlockHeight, want.BlockHeight)
	equal("blockhash", r.BlockHash, want.BlockHash)
	equal("blocktime", r.BlockTime, want.BlockTime)
	equal("time", r.Time, want.Time)
	equal("confirmations", r.Confirmations, max(want.Confirmations, 0)) // negative in Core for a conflicted transaction
	equal("conflicts", r.Conflicts, want.Conflicts)
	equal("bip125-replaceable", r.Replaceable, want.Replaceable)
	equal("hex", r.Hex, want.Hex)
	equal("vsize", r.VSize, want.Decoded.VSize)
	equal("whether it is generated", r.Category == "generate", want.Generated)
	if r.Fee == nil {
		equal("fee", "null", map[bool]string{true: "null", false: "not null"}[want.Fee == 0])
	} else {
		equal("fee", *r.Fee, -want.Fee) // Core returns it negated
	}
}

// coreWallet is a wallet of Bitcoin Core.
type coreWallet struct {
	t    *testing.T
	node *testkit.Node
	name string
}

func (w coreWallet) cli(method string, params ...any) json.RawMessage {
	w.t.Helper()
	return w.node.WalletCLI(w.t, w.name, method, params...)
}

func (w coreWallet) address() string {
	w.t.Helper()
	return jsonText(w.t, w.cli("getnewaddress", "", "bech32"))
}

// descriptors returns the wallet's two P2WPKH descriptors.
func (w coreWallet) descriptors() (receive, change string) {
	w.t.Helper()
	var list struct {
		Descriptors []struct {
			Desc     string
			Internal bool
		}
	}
	decodeJSON(w.t, w.cli("listdescriptors"), &list)
	for _, d := range list.Descriptors {
		switch {
		case d.Desc[:5] != "wpkh(":
		case d.Internal:
			change = d.Desc
		default:
			receive = d.Desc
		}
	}
	return receive, change
}

// send pays amount to an address, and returns the txid once all wallets have the
// transaction.
func (w coreWallet) send(to, amount string) string {
	w.t.Helper()
	var answer struct{ Txid string }
	outputs := []map[string]json.Number{{to: json.Number(amount)}}
	options := map[string]any{"change_type": "bech32", "fee_rate": 5, "replaceable": true}
	decodeJSON(w.t, w.cli("send", regtest.Named{"outputs": outputs, "options": options}), &answer)
	w.node.CLI(w.t, "syncwithvalidationinterfacequeue")
	return answer.Txid
}

func decodeJSON(t *testing.T, text json.RawMessage, into any) {
	t.Helper()
	testkit.Check(t, json.Unmarshal(text, into))
}

func jsonText(t *testing.T, raw json.RawMessage) (text string) {
	t.Helper()
	decodeJSON(t, raw, &text)
	return text
}
