package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	alphaWallets = "/api/v1alpha/wallets/"
	fullTxList   = "/api/v1alpha/specter/full_txlist/"
)

// TestAlphaWallets_OtherUsers checks that requests for wallets of other users get the same
// response as requests for wallets that do not exist.
func TestAlphaWallets_OtherUsers(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, other := s.user(t, "p", false), s.user(t, "other", true)
	s.wallet(t, p, "mine", "viewer")
	s.wallet(t, p, "überweisung", "owner")
	s.wallet(t, other, "theirs", "owner")
	all, limited := s.token(t, p, auth.DefaultScopes), s.token(t, p, auth.DefaultScopes, "mine")
	for path, k := range map[string]token{
		"mine": all, "mine/": limited, "%C3%BCberweisung/": all, "%c3%bcberweisung": all, "m%69ne/": all,
	} {
		s.call(t, "GET", alphaWallets+path, k.bearer(), "").want(t, 200)
	}
	for path, c := range map[string]struct {
		by    token
		alias string
	}{
		"theirs":                            {all, "theirs"},
		"nobodys/":                          {all, "nobodys"},
		"Mine":                              {all, "Mine"},
		"%C3%BCberweisung":                  {limited, "überweisung"},
		"%22%3Cscript%3E%5C%0A":             {all, "\"<script>\\\n"},
		"..%2F..":                           {all, "../.."},
		"%FFx":                              {all, "\ufffdx"},
		"%00":                               {all, "\x00"},
		strings.Repeat("x", 300):            {all, strings.Repeat("x", 256)},
		strings.Repeat("%C3%BC", 200) + "/": {all, strings.Repeat("ü", 128)},
	} {
		t.Run(path, func(t *testing.T) {
			got := s.call(t, "GET", alphaWallets+path, c.by.bearer(), "")
			got.wantMessage(t, 403, "Wallet "+c.alias+" does not exist")
			if len(got.fields) != 1 || got.header.Get("WWW-Authenticate") != "" {
				t.Errorf("%s: %v %v", path, got.fields, got.header)
			}
			s.call(t, "HEAD", alphaWallets+path, c.by.bearer(), "").want(t, 403)
		})
	}
	if got := records(t, s.call(t, "GET", fullTxList, all.bearer(), "")); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestAlphaNewWallet checks that the lists of a new wallet are empty and not null, and that a
// wallet whose alias is the name of a member of the response replaces this member.
func TestAlphaNewWallet(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, auth.DefaultScopes)
	for _, alias := range []string{"new", "txlist", "scan", "address_index", "utxo"} {
		s.wallet(t, p, alias, "owner")
		body := s.call(t, "GET", alphaWallets+alias, k.bearer(), "").want(t, 200).body
		want := slices.DeleteFunc([]string{"txlist", "scan", "address_index", "utxo"}, func(name string) bool { return name == alias })
		if got := names(t, body); got[0] != alias || !slices.Equal(got[1:], want) {
			t.Errorf("%s: the response has the members %v", alias, got)
		}
		var w map[string]any
		testkit.Check(t, json.Unmarshal([]byte(member(t, body, alias)), &w))
		for name, empty := range map[string]string{
			"_addresses": "{}", "_transactions": "{}", "_full_utxo": "[]", "full_utxo": "[]", "keys": "[]", "_devices": "[]", "devices": "[]",
			"pending_psbts": "{}", "frozen_utxo": "[]", "last_block": "null", "balance": `{"immature":0,"trusted":0,"untrusted_pending":0}`,
		} {
			t.Run(name, func(t *testing.T) {
				if got := string(testkit.Must(json.Marshal(w[name]))); got != empty {
					t.Errorf("%s: %s is %s, want %s", alias, name, got, empty)
				}
			})
		}
		info := w["info"].(map[string]any)
		if info["private_keys_enabled"] != false || info["scanning"] != false || info["balance"] != 0.0 || info["walletname"] == "" {
			t.Errorf("%s: info is %v", alias, info)
		}
	}
}

// TestAlphaRescanProgress checks that scan and info.scanning report the progress of a rescan,
// and that walletname is not read from the stored getwalletinfo response (core_info).
func TestAlphaRescanProgress(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	id := s.wallet(t, p, "w", "owner")
	s.sql(t, `UPDATE wallets SET rescan_from = 5, rescan_progress = 0.25, core_info = '{"walletname":"x","scanning":false,"birthtime":7}' WHERE wallet_id = $1`, id)
	got := s.call(t, "GET", alphaWallets+"w", s.token(t, p, 0).bearer(), "").want(t, 200, `"scan":0.25,`, `"scanning":{"progress":0.25}`, `"birthtime":7`)
	if strings.Contains(got.body, `"walletname":"x"`) {
		t.Error("the response has a walletname that is not the name of the Core wallet")
	}
}

// TestAlphaDeadTransactions checks that dead transactions are in _transactions, but not in
// txlist and full_txlist.
func TestAlphaDeadTransactions(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	k := s.token(t, p, auth.DefaultScopes)
	id := s.wallet(t, p, "w", "viewer")
	var changes wallet.Change
	changes.WalletID, changes.Synced = id, &wallet.Tip{Height: 10, Hash: "aa"}
	shown := map[string]bool{}
	for i, status := range []wallet.Status{wallet.Confirmed, wallet.InMempool, wallet.Inactive, wallet.Replaced, wallet.Conflicted, wallet.Abandoned} {
		x := received(i, 1000)
		x.Status = status
		if status == wallet.Confirmed {
			x.Block = &wallet.Block{Height: 3, Hash: "bb", Time: time.Unix(1, 0)}
		}
		changes.Added = append(changes.Added, x)
		if !status.Dead() {
			shown[x.Txid] = true
		}
	}
	testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{changes}))
	body := s.call(t, "GET", alphaWallets+"w", k.bearer(), "").want(t, 200).body
	for what, list := range map[string][]map[string]any{
		"txlist": listOf(t, member(t, body, "txlist")), "full_txlist": records(t, s.call(t, "GET", fullTxList, k.bearer(), "")),
	} {
		if len(list) != len(shown) {
			t.Errorf("%s has %d transactions", what, len(list))
		}
		for _, r := range list {
			if !shown[r["txid"].(string)] {
				t.Errorf("%s has %v", what, r)
			}
			if want := map[bool]float64{true: 8, false: 0}[r["blockhash"] == "bb"]; r["confirmations"] != want || r["_current_blockheight"] != 10.0 {
				t.Errorf("%s has %v confirmations at %v", what, r["confirmations"], r["_current_blockheight"])
			}
		}
	}
	if all := names(t, member(t, member(t, body, "w"), "_transactions")); len(all) != len(changes.Added) {
		t.Errorf("_transactions has %d", len(all))
	}
	if utxos := listOf(t, member(t, body, "utxo")); len(utxos) != 2 { // the confirmed output and the one in the mempool
		t.Errorf("%d UTXOs", len(utxos))
	}
}

// received returns an incoming transaction in the mempool with one output of 5000 sat and the
// given number of raw bytes. Its txid, address and time depend on i.
func received(i, bytesOfRaw int) wallet.Transaction {
	own := wallet.Place{Index: uint32(i)}
	return wallet.Transaction{
		Txid: fmt.Sprintf("%064x", i+1), Time: time.Unix(int64(1000+i), 0), ReceivedAt: time.Unix(int64(1000+i), 0),
		State:    wallet.State{Status: wallet.InMempool, Replaceable: "yes"},
		Category: wallet.Receive, Flow: 5000, VSize: 100, Address: fmt.Sprint("address", i), Own: &own, Raw: bytes.Repeat([]byte{7}, bytesOfRaw),
		Outputs: []wallet.Output{{Vout: 1, Address: fmt.Sprint("address", i), Amount: 5000, Own: &own}},
	}
}

// TestAlphaUTXOs checks that _full_utxo lists all mature UTXOs, with locked set for locked and
// frozen ones, and that utxo lists only the others.
func TestAlphaUTXOs(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	id := s.wallet(t, p, "w", "viewer")
	changes := wallet.Change{WalletID: id, Synced: &wallet.Tip{Height: 10, Hash: "aa"}, Locked: []btc.Outpoint{{Txid: received(1, 0).Txid, Vout: 1}}}
	for i := range 4 {
		x := received(i, 1)
		if i == 3 {
			x.Category, x.State = wallet.Generate, wallet.State{Status: wallet.Confirmed, Replaceable: "no", Block: &wallet.Block{Height: 5, Hash: "cc", Time: time.Unix(1, 0)}}
		}
		changes.Added = append(changes.Added, x)
	}
	testkit.Check(t, s.store.WriteIndex(t.Context(), []wallet.Change{changes}))
	frozen := btc.Outpoint{Txid: received(2, 0).Txid, Vout: 1}
	s.sql(t, "INSERT INTO frozen (wallet_id, txid, vout, created_at) VALUES ($1, $2, $3, 0)", id, frozen.Txid, frozen.Vout)
	body := s.call(t, "GET", alphaWallets+"w", s.token(t, p, 0).bearer(), "").want(t, 200, fmt.Sprintf(`"frozen_utxo":["%s:1"]`, frozen.Txid)).body
	locked := map[any]any{}
	for _, c := range listOf(t, member(t, member(t, body, "w"), "_full_utxo")) {
		locked[c["txid"]] = c["locked"]
	}
	want := map[any]any{received(0, 0).Txid: false, received(1, 0).Txid: true, frozen.Txid: true}
	if fmt.Sprint(locked) != fmt.Sprint(want) {
		t.Errorf("locked: %v, want %v", locked, want)
	}
	if free := listOf(t, member(t, body, "utxo")); len(free) != 1 || free[0]["txid"] != received(0, 0).Txid || free[0]["vout"] != 1.0 || free[0]["amount"] != 0.00005 {
		t.Errorf("utxo: %v", free)
	}
}

// TestAlphaTransactions_AllWallets checks that full_txlist has the transactions of all wallets of
// the caller, and a transfer between two of them twice.
func TestAlphaTransactions_AllWallets(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, other := s.user(t, "p", false), s.user(t, "other", false)
	var changes []wallet.Change
	for i, w := range []string{s.wallet(t, p, "one", "owner"), s.wallet(t, p, "two", "viewer"), s.wallet(t, other, "one", "owner")} {
		changes = append(changes, wallet.Change{WalletID: w, Synced: &wallet.Tip{Height: 10, Hash: "aa"}, Added: []wallet.Transaction{received(0, 1), received(i+1, 1)}})
	}
	testkit.Check(t, s.store.WriteIndex(t.Context(), changes))
	got := s.call(t, "GET", fullTxList, s.token(t, p, auth.WalletsRead).bearer(), "").want(t, 200)
	var shown []string
	for _, r := range records(t, got) {
		shown = append(shown, fmt.Sprint(r["time"], " ", r["wallet_alias"]))
	}
	if want := []string{"1002 two", "1001 one", "1000 one", "1000 two"}; !slices.Equal(shown, want) && !slices.Equal(shown, []string{want[0], want[1], want[3], want[2]}) {
		t.Errorf("%v", shown)
	}
	if got.header.Get("Content-Type") != "application/json" || !strings.HasSuffix(got.body, "]\n") {
		t.Errorf("%v", got.header)
	}
}

// TestAlphaDevices checks that /specter lists the devices of the wallets that the token is
// limited to.
func TestAlphaDevices(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	for alias, fingerprints := range map[string][]string{"single": {"11111111"}, "vault": {"11111111", "22222222"}} {
		w := wallet.Wallet{ID: unique("wallet"), Name: alias, CoreName: unique("core"), Script: btc.WPKH, CreatedAt: s.clock.now()}
		for _, fingerprint := range fingerprints {
			w.Keys = append(w.Keys, wallet.Key{Key: btc.Key{Fingerprint: fingerprint, XPub: unique("xpub")}})
		}
		testkit.Check(t, s.store.AddWallet(t.Context(), w, admin.ID, alias, nil, auth.Event{Action: "wallet.create"}))
		testkit.Must(s.store.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error {
			e.Stage = wallet.Ready
			return nil
		}))
	}
	for _, c := range []struct {
		by   token
		want string
	}{
		{s.token(t, admin, 0), `"devices_names":["11111111","22222222"]`},
		{s.token(t, admin, 0, "single"), `"devices_names":["11111111"]`},
		{s.token(t, admin, 0, "vault"), `"devices_names":["11111111","22222222"]`},
	} {
		s.call(t, "GET", "/api/v1alpha/specter", c.by.bearer(), "").want(t, 200, c.want)
	}
}

// records decodes a response with the status 200 that is a JSON array of objects.
func records(t *testing.T, a answer) []map[string]any {
	t.Helper()
	return listOf(t, a.want(t, 200).body)
}

func listOf(t *testing.T, text string) (list []map[string]any) {
	t.Helper()
	testkit.Check(t, json.Unmarshal([]byte(text), &list))
	return list
}

// names returns the names of a JSON object's members in the order in which they occur.
func names(t *testing.T, object string) (found []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(object)))
	testkit.Must(dec.Token())
	for dec.More() {
		found = append(found, testkit.Must(dec.Token()).(string))
		var value json.RawMessage
		testkit.Check(t, dec.Decode(&value))
	}
	return found
}

func member(t *testing.T, object, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	testkit.Check(t, json.Unmarshal([]byte(object), &members))
	return string(members[name])
}
