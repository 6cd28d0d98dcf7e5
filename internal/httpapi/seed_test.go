package httpapi_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// recordedWallet is a wallet as the original answered with it: testdata/wire/18
// to 21.
type recordedWallet struct {
	Name         string          `json:"name"`
	Alias        string          `json:"alias"`
	SigsRequired int             `json:"sigs_required"`
	RangeEnd     uint32          `json:"keypool"`
	Info         json.RawMessage `json:"info"`
	LastBlock    string          `json:"last_block"`
	Addresses    map[string]struct {
		Index  *uint32 `json:"index"`
		Change bool    `json:"change"`
		Label  string  `json:"label"`
	} `json:"_addresses"`
	Transactions map[string]recordedTransaction `json:"_transactions"`
	Coins        []struct {
		recordedTransaction
		Vout   uint32      `json:"vout"`
		Locked bool        `json:"locked"`
		Amount btc.JSONBTC `json:"amount"`
	} `json:"_full_utxo"`
	untold `json:"-"`
}

// untold is what the original has in its files and does not tell:
// testdata/wire/wallets.json.
type untold struct {
	Receive string   `json:"recv_descriptor"`
	Change  string   `json:"change_descriptor"`
	Keys    []keyRow `json:"keys"`
}

type keyRow struct{ Original, Fingerprint, Derivation, Type, Purpose, XPub string }

type recordedTransaction struct {
	Txid        string      `json:"txid"`
	BlockHeight int         `json:"blockheight"`
	BlockHash   string      `json:"blockhash"`
	Time        int64       `json:"time"`
	BlockTime   int64       `json:"blocktime"`
	Replaceable string      `json:"bip125-replaceable"`
	Conflicts   []string    `json:"conflicts"`
	Hex         string      `json:"hex"`
	Address     string      `json:"address"`
	Category    string      `json:"category"`
	Flow        json.Number `json:"flow_amount"`
}

const recordedTip = 186

var recordings = map[string]string{
	"simple_one": "18-wallet-simple_one", "vault_23_fam": "19-wallet-vault_23_fam", "nested": "20-wallet-nested", "tap": "21-wallet-tap",
}

// seedRecorded gives a user the devices and some wallets of the recordings, or all
// of these where none is named.
func (s *server) seedRecorded(t *testing.T, owner person, aliases ...string) {
	t.Helper()
	var files struct {
		Wallets map[string]untold                                   `json:"wallets"`
		Devices map[string]struct{ Name, Type, Fingerprint string } `json:"devices"`
	}
	check(t, json.Unmarshal(must(os.ReadFile("../../testdata/wire/wallets.json")), &files))
	for alias, d := range files.Devices {
		id := unique("device")
		s.sql(t, "INSERT INTO devices (device_id, user_id, alias, name, type, created_at) VALUES ($1, $2, $3, $4, $5, 0)", id, owner.ID, alias, d.Name, d.Type)
		s.sql(t, "INSERT INTO device_keys (device_id, fingerprint, derivation, xpub, original, type, purpose) VALUES ($1, $2, 'm', '', '', '', '')", id, d.Fingerprint)
	}
	for alias, name := range recordings {
		if aliases != nil && !slices.Contains(aliases, alias) {
			continue
		}
		var answer map[string]json.RawMessage
		check(t, json.Unmarshal([]byte(readExchange(t, "../../testdata/wire/"+name+".txt").answer), &answer))
		w := recordedWallet{}
		check(t, json.Unmarshal(answer[alias], &w))
		w.untold = files.Wallets[alias]
		s.seed(t, owner, &w)
	}
}

// seed puts a recorded wallet into the database, as the follower would have.
func (s *server) seed(t *testing.T, owner person, w *recordedWallet) {
	t.Helper()
	policy := must(btc.FromDescriptors(w.Receive, w.Change, btc.Regtest))
	row := wallet.Wallet{
		ID: unique("wallet"), Name: w.Name, CoreName: "specterd/" + unique("core"), Script: policy.Script, Required: w.SigsRequired,
		Receive: w.Receive, Change: w.Change, RangeEnd: w.RangeEnd, ScanFrom: -1, CreatedAt: s.clock.now(),
	}
	for _, k := range w.Keys {
		row.Keys = append(row.Keys, wallet.Key{Key: btc.Key{
			Original: k.Original, Fingerprint: k.Fingerprint, Derivation: k.Derivation, XPub: k.XPub, Type: btc.Script(k.Type), Purpose: k.Purpose,
		}})
	}
	var addresses []wallet.Address
	var labels []btc.Label
	for address, a := range w.Addresses {
		if a.Index != nil {
			addresses = append(addresses, wallet.Address{Address: address, Place: w.place(address)})
		}
		if a.Label != "" {
			labels = append(labels, btc.Label{Type: "addr", Ref: address, Label: &a.Label})
		}
	}
	ctx := t.Context()
	check(t, s.store.AddWallet(ctx, row, owner.ID, w.Alias, addresses, auth.Event{Action: "wallet.create"}))
	must(s.store.EditWallet(ctx, row.ID, func(e *wallet.Edit) error {
		e.Stage = wallet.Ready
		return nil
	}))
	if labels != nil {
		check(t, s.store.SetLabels(ctx, row.ID, labels, auth.Event{Action: "wallet.label"}))
	}
	check(t, s.store.WriteIndex(ctx, []wallet.Change{w.change(t, row.ID)}))
}

func (w *recordedWallet) place(address string) wallet.Place {
	a := w.Addresses[address]
	if a.Change {
		return wallet.Place{Branch: wallet.ChangeBranch, Index: *a.Index}
	}
	return wallet.Place{Branch: wallet.ReceiveBranch, Index: *a.Index}
}

// own returns the place of an address in the wallet, if it has one.
func (w *recordedWallet) own(address string) *wallet.Place {
	if a, ok := w.Addresses[address]; !ok || a.Index == nil {
		return nil
	}
	return new(w.place(address))
}

func (w *recordedWallet) change(t *testing.T, id string) wallet.Change {
	t.Helper()
	c := wallet.Change{
		WalletID: id, Synced: &wallet.Tip{Height: recordedTip, Hash: w.LastBlock}, CoreTxCount: len(w.Transactions), CoreInfo: string(w.Info),
	}
	for _, r := range w.Transactions {
		c.Added = append(c.Added, w.transaction(t, r))
	}
	for _, coin := range w.Coins {
		if coin.Locked {
			c.Locked = append(c.Locked, btc.Outpoint{Txid: coin.Txid, Vout: coin.Vout})
		}
	}
	return c
}

// sentFee is that of all recorded payments, for the original does not tell.
const sentFee btc.Amount = 332

func (w *recordedWallet) transaction(t *testing.T, r recordedTransaction) wallet.Transaction {
	t.Helper()
	x := wallet.Transaction{
		Txid: r.Txid, Time: time.Unix(r.Time, 0), ReceivedAt: time.Unix(r.Time, 0), Category: wallet.Category(r.Category),
		Flow: roundedBTC(t, r.Flow), VSize: 141, Address: r.Address, Own: w.own(r.Address), Raw: must(hex.DecodeString(r.Hex)),
	}
	if r.Hex == "" { // the original had lost it
		x.Raw = []byte{2, 0, 0, 0}
	}
	x.State = wallet.State{Status: wallet.InMempool, Conflicts: r.Conflicts, Replaceable: r.Replaceable, Trusted: true}
	switch {
	case r.BlockHeight > 0:
		x.Status, x.Block = wallet.Confirmed, &wallet.Block{Height: r.BlockHeight, Hash: r.BlockHash, Time: time.Unix(r.BlockTime, 0)}
	case len(r.Conflicts) > 0:
		x.Status, x.Trusted = wallet.Conflicted, false
	}
	for _, coin := range w.Coins {
		if coin.Txid == r.Txid {
			x.Outputs = append(x.Outputs, wallet.Output{Vout: coin.Vout, Address: coin.Address, Amount: btc.Amount(coin.Amount), Own: w.own(coin.Address)})
		}
	}
	if x.Flow > 0 && x.Outputs == nil { // spent since, or immature
		x.Outputs = []wallet.Output{{Address: x.Address, Amount: x.Flow, Own: x.Own}}
	}
	if x.Flow < 0 {
		x.Fee, x.Inputs = new(sentFee), w.spent()
	}
	return x
}

// spent returns what the wallet received and has no more; each recorded wallet
// paid once at most.
func (w *recordedWallet) spent() (inputs []wallet.Input) {
	unspent := map[string]bool{}
	for _, coin := range w.Coins {
		unspent[coin.Txid] = true
	}
	for txid, r := range w.Transactions {
		if r.Category == "receive" && r.BlockHeight > 0 && !unspent[txid] {
			amount := must(btc.ParseBTC(r.Flow.String()))
			inputs = append(inputs, wallet.Input{Prev: btc.Outpoint{Txid: txid}, Amount: amount})
		}
	}
	return inputs
}

// roundedBTC reads an amount that the original had in a float, with what that
// made of it behind the eighth decimal.
func roundedBTC(t *testing.T, n json.Number) btc.Amount {
	t.Helper()
	f, err := n.Float64()
	check(t, err)
	a, err := btc.ParseBTC(strconv.FormatFloat(f, 'f', 8, 64))
	check(t, err)
	return a
}
