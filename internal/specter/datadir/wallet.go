package datadir

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
)

// WalletFile is the location of a wallet.
type WalletFile struct {
	Path  string // relative to the directory
	Chain btc.Network
	Alias string // the name of its file, which Specter Desktop uses in URLs

	owner string // the suffix of "devices" in the name of its user's directory
}

// Wallet is the content of a wallet file. Descriptors and keys are not validated.
type Wallet struct {
	WalletFile
	Name               string
	Description        string // such as "2 of 3 Multisig (Segwit)"
	AddressType        string // bech32, p2sh-segwit, legacy or taproot
	Receive, Change    string // descriptors
	Keys               []Key
	Devices            []string // aliases, in the order of the keys
	SignaturesRequired int
	BlockHeight        int    // start of a rescan
	ReceiveIndex       uint32 // of the next unused address
	ChangeIndex        uint32
	ReceiveEnd         uint32 // the last derived index, plus one; 0 if unknown
	ChangeEnd          uint32
	Frozen             []btc.Outpoint
	Pending            []PSBT
}

// PSBT is a pending payment of Specter Desktop, which becomes a proposal.
type PSBT struct {
	Txid   string // of the transaction without signatures
	Base64 string
	Raw    string    // the signed transaction, hexadecimal, once it is complete
	Time   time.Time // zero if unknown
}

// Wallets returns the locations of a user's wallets, sorted by chain and name. Chains
// other than Bitcoin's are reported as a Note.
func (f *Folder) Wallets(u User) []WalletFile {
	if !u.HasFolders {
		return nil
	}
	folder := "wallets" + u.Folder
	chains := f.list(folder)
	var files []WalletFile
	for _, c := range chains {
		path := join(folder, c.name)
		if !c.isFolder {
			continue // the file belongs to an extension
		}
		chain, err := btc.ParseNetwork(c.name)
		if err != nil {
			f.report(path, Note, "is for a chain that specterd does not support; skipped")
			continue
		}
		entries := f.list(path)
		for _, alias := range jsonFiles(entries) {
			files = append(files, WalletFile{
				Path: join(path, alias+".json"), Chain: chain, Alias: alias, owner: u.Folder,
			})
		}
	}
	return files
}

// Wallet reads a wallet, and reports whether that succeeded.
func (f *Folder) Wallet(at WalletFile) (Wallet, bool) {
	var w Wallet
	ok := false
	f.read(at.Path, maxWalletBytes, func(text []byte) ([]string, error) {
		o, err := parseObject(text)
		if err != nil {
			return nil, err
		}
		w, err = o.wallet(at)
		ok = err == nil
		return o.warnings, err
	})
	if ok {
		f.checkRelations(w)
	}
	return w, ok
}

// checkRelations reports a missing device, or two wallets with the same name. Because of
// these, Specter Desktop does not show a wallet, but this package can read it.
func (f *Folder) checkRelations(w Wallet) {
	for _, alias := range w.Devices {
		path := "devices" + w.owner + "/" + alias + ".json"
		if !isPlain(alias) || !f.exists(path) && !f.exists(path+".bkp") {
			f.report(w.Path, Warning, "names a missing device, so Specter Desktop does not load the wallet: %s", show(alias))
		}
	}
	key := [3]string{w.owner, string(w.Chain), w.Name}
	if first, ok := f.names[key]; ok && first != w.Path {
		f.report(w.Path, Warning, "has the same name as %s, so Specter Desktop shows only one of them", show(first))
		return
	}
	f.names[key] = w.Path
}

func (f *Folder) exists(path string) bool {
	_, err := f.root.Stat(path)
	return err == nil
}

func (o *object) wallet(at WalletFile) (Wallet, error) {
	w := Wallet{WalletFile: at, SignaturesRequired: 1}
	w.Name = o.name(at.Alias)
	o.required("address_type", &w.AddressType)
	o.required("recv_descriptor", &w.Receive)
	o.required("change_descriptor", &w.Change)
	o.required("devices", &w.Devices)
	w.Keys = o.keys()
	o.optional("description", &w.Description)
	o.optional("sigs_required", &w.SignaturesRequired)
	o.optional("blockheight", &w.BlockHeight)
	o.optional("address_index", &w.ReceiveIndex)
	o.optional("change_index", &w.ChangeIndex)
	o.optional("keypool", &w.ReceiveEnd)
	o.optional("change_keypool", &w.ChangeEnd)
	if w.BlockHeight < 0 {
		w.BlockHeight = 0
		o.warn("blockheight", "is negative; a rescan starts at the first block")
	}
	w.Frozen = o.frozen()
	w.Pending = o.pending()
	return w, o.err
}

func (o *object) frozen() []btc.Outpoint {
	var values []jsontext.Value
	o.optional("frozen_utxo", &values)
	var frozen []btc.Outpoint
	for _, value := range values {
		var text string
		_ = json.Unmarshal(value, &text) // an error leaves text empty, which is not an outpoint
		utxo, err := btc.ParseOutpoint(strings.ToLower(text))
		switch {
		case err != nil:
			o.warn("frozen_utxo", "has an entry that is not a transaction output; skipped")
		case !slices.Contains(frozen, utxo):
			frozen = append(frozen, utxo)
		}
	}
	return frozen
}

func (o *object) pending() []PSBT {
	all := o.child("pending_psbts")
	var pending []PSBT
	for _, txid := range all.names {
		p, err := parseObject(all.fields[txid])
		if err != nil {
			o.warn("pending_psbts", "has an entry of the wrong type; skipped")
			continue
		}
		psbt := PSBT{Txid: txid}
		var seconds float64
		p.required("base64", &psbt.Base64)
		p.optional("raw", &psbt.Raw)
		p.optional("time", &seconds)
		if p.err != nil {
			o.warn("pending_psbts", "has an entry without a PSBT; skipped")
			continue
		}
		if seconds > 0 && seconds < maxSeconds {
			psbt.Time = time.UnixMicro(int64(seconds * 1e6)).UTC()
		}
		pending = append(pending, psbt)
	}
	slices.SortStableFunc(pending, func(a, b PSBT) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Txid, b.Txid))
	})
	return pending
}

// maxSeconds is the end of the year 9999 in Unix seconds.
const maxSeconds = 253_402_300_800
