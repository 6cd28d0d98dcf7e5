package v1alpha

import (
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/swaggest/jsonschema-go"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// walletResponse describes the response of GetWallet for the OpenAPI specification.
type walletResponse struct {
	Wallet       walletObject   `json:"{alias}" description:"The wallet, under its alias."`
	TxList       []listedRecord `json:"txlist"`
	Scan         *float64       `json:"scan" description:"Progress of the rescan, 0 to 1; null without a rescan."`
	AddressIndex uint32         `json:"address_index"`
	UTXO         []utxoRecord   `json:"utxo" description:"The outputs of _full_utxo that are not locked."`
}

// PrepareJSONSchema implements jsonschema.Preparer. It converts the property {alias} to
// additionalProperties, because the name of that member is the alias of the wallet.
func (walletResponse) PrepareJSONSchema(schema *jsonschema.Schema) error {
	const name = "{alias}"
	schema.AdditionalProperties = &jsonschema.SchemaOrBool{TypeObject: schema.Properties[name].TypeObject}
	delete(schema.Properties, name)
	schema.Required = slices.DeleteFunc(schema.Required, func(required string) bool { return required == name })
	return nil
}

// walletObject describes the wallet in the response of GetWallet. The encoder is used only
// for walletHead and walletTail; writeWallet writes the members between and after them,
// which grow with the wallet's history.
type walletObject struct {
	walletHead
	Addresses    map[string]addressObject `json:"_addresses" description:"Addresses that were revealed or used, 20 more on each branch, and all labelled addresses."`
	Transactions map[string]storedRecord  `json:"_transactions" description:"All transactions by id, including replaced ones."`
	FullUTXO     []utxoRecord             `json:"_full_utxo"`
	walletTail
	FullUTXOAgain []utxoRecord `json:"full_utxo"`
}

type walletHead struct {
	Name          string                `json:"name"`
	Alias         string                `json:"alias"`
	Description   string                `json:"description"`
	AddressType   string                `json:"address_type"`
	Address       string                `json:"address" description:"The next address that was neither revealed nor used."`
	AddressIndex  uint32                `json:"address_index"`
	ChangeAddress string                `json:"change_address"`
	ChangeIndex   uint32                `json:"change_index"`
	Keypool       uint32                `json:"keypool" description:"Number of receive addresses that Bitcoin Core watches."`
	ChangeKeypool uint32                `json:"change_keypool"`
	Info          jsontext.Value        `json:"info" description:"Result of getwalletinfo of Bitcoin Core, with the current balances."`
	Descriptor    string                `json:"descriptor" description:"For both branches (BIP-389)."`
	Keys          []keyObject           `json:"keys"`
	DevicesAgain  []string              `json:"_devices"`
	SigsRequired  int                   `json:"sigs_required"`
	PendingPSBTs  map[string]psbtObject `json:"pending_psbts" description:"The open proposals, for tokens with the scope proposals:read; none for others."`
	FrozenUTXO    []string              `json:"frozen_utxo"`
	LastBlock     *string               `json:"last_block" description:"Hash of the block that the response is current to."`
}

type walletTail struct {
	Balance          balanceObject `json:"balance"`
	RecvDescriptor   string        `json:"recv_descriptor"`
	ChangeDescriptor string        `json:"change_descriptor"`
	Devices          []string      `json:"devices"`
}

type keyObject struct {
	Original    string `json:"original"`
	Fingerprint string `json:"fingerprint"`
	Derivation  string `json:"derivation"`
	Type        string `json:"type"`
	Purpose     string `json:"purpose"`
	XPub        string `json:"xpub"`
}

type balanceObject struct {
	Trusted          bitcoins `json:"trusted"`
	UntrustedPending bitcoins `json:"untrusted_pending"`
	Immature         bitcoins `json:"immature"`
}

type addressObject struct {
	Address   string  `json:"address"`
	Index     *uint32 `json:"index" description:"Null for an address that is not the wallet's."`
	Change    *bool   `json:"change"`
	Label     *string `json:"label"`
	Used      *bool   `json:"used" description:"True or null."`
	ServiceID *string `json:"service_id" description:"Always null."`
}

func (p *walletDetails) head() (walletHead, error) {
	v := &p.View
	info, err := infoOf(v)
	if err != nil {
		return walletHead{}, err
	}
	head := walletHead{
		Name: v.Name, Alias: v.Alias, Description: v.Script.Description(v.SignaturesRequired, len(v.Keys)), AddressType: v.Script.AddressType(),
		Address: addressAt(p.Addresses[wallet.ReceiveBranch], v.ReceiveNext), AddressIndex: v.ReceiveNext,
		ChangeAddress: addressAt(p.Addresses[wallet.ChangeBranch], v.ChangeNext), ChangeIndex: v.ChangeNext,
		Keypool: v.RangeEnd, ChangeKeypool: v.RangeEnd,
		Info: info, Descriptor: btc.Multipath(v.Receive, v.Change), DevicesAgain: devicesOf(v),
		SigsRequired: v.SignaturesRequired, PendingPSBTs: p.pending, FrozenUTXO: p.frozen(),
	}
	for _, k := range v.Keys {
		head.Keys = append(head.Keys, keyObject{
			Original: k.Original, Fingerprint: k.Fingerprint, Derivation: k.Derivation,
			Type: string(k.Type), Purpose: k.Purpose, XPub: k.XPub,
		})
	}
	if v.Synced.Hash != "" {
		head.LastBlock = &v.Synced.Hash
	}
	return head, nil
}

func (p *walletDetails) tail() walletTail {
	return walletTail{
		Balance: balanceOf(&p.Wallet), RecvDescriptor: p.Receive, ChangeDescriptor: p.Change, Devices: devicesOf(&p.View),
	}
}

func balanceOf(w *wallet.Wallet) balanceObject {
	return balanceObject{bitcoins(w.Balances.Trusted), bitcoins(w.Balances.UntrustedPending), bitcoins(w.Balances.Immature)}
}

// devicesOf returns the alias of the device of each key. If the device was deleted, it
// returns the fingerprint of the key, which is the default alias of a device.
func devicesOf(v *wallet.View) []string {
	devices := make([]string, len(v.Keys))
	for i, k := range v.Keys {
		if devices[i] = k.Device; k.Device == "" {
			devices[i] = k.Fingerprint
		}
	}
	return devices
}

// addressAt returns the address with the given index. branch contains the first addresses of
// a branch; addressAt returns "" if they do not include the index.
func addressAt(branch []wallet.PlainAddress, index uint32) string {
	if int(index) >= len(branch) {
		return ""
	}
	return branch[index].Address
}

// walletInfo is a result of getwalletinfo. The named fields are replaced by the values of
// the index, which are more recent, and Rest contains the other fields of Bitcoin Core.
// Bitcoin Core 30 does not report the balances.
type walletInfo struct {
	WalletName         string         `json:"walletname"`
	Balance            bitcoins       `json:"balance"`
	UnconfirmedBalance bitcoins       `json:"unconfirmed_balance"`
	ImmatureBalance    bitcoins       `json:"immature_balance"`
	Scanning           jsontext.Value `json:"scanning"`
	LastProcessed      *blockObject   `json:"lastprocessedblock,omitzero"`
	Rest               jsontext.Value `json:",embed"`
}

type blockObject struct {
	Hash   string `json:"hash"`
	Height int    `json:"height"`
}

// defaultWalletInfo contains the fields of getwalletinfo that are the same for all wallets of
// specterd. It is used until the indexer has read the actual result.
const defaultWalletInfo = `{"private_keys_enabled":false,"avoid_reuse":false,"descriptors":true}`

// infoOf returns the last result of getwalletinfo that the indexer read, with the current
// values of the index; see walletInfo.
func infoOf(v *wallet.View) (jsontext.Value, error) {
	said := v.CoreInfo
	if said == "" {
		said = defaultWalletInfo
	}
	var info walletInfo
	if err := json.Unmarshal([]byte(said), &info); err != nil {
		return nil, fmt.Errorf("read the result of getwalletinfo: %w", err)
	}
	b := balanceOf(&v.Wallet)
	info.WalletName = v.CoreName
	info.Balance, info.UnconfirmedBalance, info.ImmatureBalance = b.Trusted, b.UntrustedPending, b.Immature
	info.Scanning, info.LastProcessed = jsontext.Value("false"), nil
	if v.Rescanning() {
		info.Scanning = jsontext.Value(fmt.Sprintf(`{"progress":%v}`, v.RescanProgress))
	}
	if v.Synced.Height >= 0 {
		info.LastProcessed = &blockObject{v.Synced.Hash, v.Synced.Height}
	}
	text, err := json.Marshal(info)
	if err != nil {
		return nil, fmt.Errorf("encode the result of getwalletinfo: %w", err)
	}
	return text, nil
}
