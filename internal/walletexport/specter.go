package walletexport

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/wallet"
)

// specterFile has the fields of Specter Desktop's stored wallet file and of its exported
// file, which has labels but neither frozen_utxo nor last_block. Readers ignore fields that
// they do not know.
type specterFile struct {
	Name             string              `json:"name"`
	Alias            string              `json:"alias"`
	Description      string              `json:"description"`
	AddressType      string              `json:"address_type"`
	Address          string              `json:"address"` // the next one
	AddressIndex     uint32              `json:"address_index"`
	ChangeAddress    string              `json:"change_address"`
	ChangeIndex      uint32              `json:"change_index"`
	Keypool          uint32              `json:"keypool"` // the last derived index, plus one
	ChangeKeypool    uint32              `json:"change_keypool"`
	RecvDescriptor   string              `json:"recv_descriptor"`
	ChangeDescriptor string              `json:"change_descriptor"`
	Keys             []specterKey        `json:"keys"`
	Devices          []string            `json:"devices"` // aliases, in the order of the keys
	SigsRequired     int                 `json:"sigs_required"`
	BlockHeight      int                 `json:"blockheight"`
	PendingPSBTs     struct{}            `json:"pending_psbts"`
	FrozenUTXO       []string            `json:"frozen_utxo"`
	LastBlock        *string             `json:"last_block"`
	Labels           map[string][]string `json:"labels"` // addresses by label
}

type specterKey struct {
	Original    string `json:"original"`
	Fingerprint string `json:"fingerprint"`
	Derivation  string `json:"derivation"`
	Type        string `json:"type"`
	Purpose     string `json:"purpose"`
	XPub        string `json:"xpub"`
}

func (w Wallet) writeSpecter(out io.Writer) error {
	if err := w.checkBranches(); err != nil {
		return err
	}
	f := specterFile{
		Name: w.Name, Alias: w.Alias,
		Description: w.Script.Description(w.SignaturesRequired, len(w.Keys)), AddressType: w.Script.AddressType(),
		Address: w.next(wallet.ReceiveBranch, w.ReceiveNext), AddressIndex: w.ReceiveNext,
		ChangeAddress: w.next(wallet.ChangeBranch, w.ChangeNext), ChangeIndex: w.ChangeNext,
		Keypool: w.RangeEnd, ChangeKeypool: w.RangeEnd,
		RecvDescriptor: w.Receive, ChangeDescriptor: w.Change, SigsRequired: w.SignaturesRequired,
		BlockHeight: w.Birthday, Labels: map[string][]string{},
	}
	for _, k := range w.Keys {
		f.Keys = append(f.Keys, specterKey{
			Original: k.Original, Fingerprint: k.Fingerprint, Derivation: k.Derivation,
			Type: string(k.Type), Purpose: k.Purpose, XPub: k.XPub,
		})
		f.Devices = append(f.Devices, w.deviceOf(k).Alias)
	}
	for _, o := range w.Unspent {
		if o.Frozen {
			f.FrozenUTXO = append(f.FrozenUTXO, o.String())
		}
	}
	if w.Synced.Hash != "" {
		f.LastBlock = &w.Synced.Hash
	}
	for _, a := range w.Labelled {
		f.Labels[a.Label] = append(f.Labels[a.Label], a.Address)
	}
	return writeJSON(out, f)
}

// next returns the address of a branch at an index; empty if the wallet does not have it.
func (w Wallet) next(b wallet.Branch, index uint32) string {
	if int(index) >= len(w.Addresses[b]) {
		return ""
	}
	return w.Addresses[b][index].Address
}

// deviceOf returns the device of a key, or a substitute if the device was deleted or
// belongs to another member.
func (w Wallet) deviceOf(k wallet.Key) wallet.Device {
	for _, d := range w.Devices {
		if d.Alias == k.Device {
			return d
		}
	}
	alias := k.Device
	if alias == "" {
		alias = k.Fingerprint
	}
	return wallet.Device{Alias: alias, Name: alias, Type: "other"}
}

// accountMap is the account map of Specter Desktop (wallet.py, account_map). Its readers
// derive the change descriptor from the receive descriptor.
type accountMap struct {
	Label       string          `json:"label"`
	BlockHeight int             `json:"blockheight"`
	Descriptor  string          `json:"descriptor"`
	Devices     []accountDevice `json:"devices"` // in the order of the keys
}

type accountDevice struct {
	Type  string `json:"type"`
	Label string `json:"label"`
}

func (w Wallet) writeAccountMap(out io.Writer) error {
	if err := w.checkBranches(); err != nil {
		return err
	}
	m := accountMap{Label: w.Name, BlockHeight: w.Birthday, Descriptor: w.Receive}
	for _, k := range w.Keys {
		d := w.deviceOf(k)
		m.Devices = append(m.Devices, accountDevice{d.Type, d.Name})
	}
	return writeJSON(out, m)
}

// writeJSON writes JSON with the indentation of Specter Desktop.
func writeJSON(out io.Writer, v any) error {
	err := json.MarshalWrite(out, v, jsontext.WithIndent("    "), json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	_, err = io.WriteString(out, "\n")
	return err
}
