package proposal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// keyring derives the scripts and keys of a wallet's outputs from the wallet's
// descriptors.
type keyring struct {
	script   btc.Script
	required int
	keys     []btc.Key
	branches [2]*btc.Deriver
}

// newKeyring parses the wallet's descriptors. It uses regtest for every test network,
// because a keyring derives only scripts, which do not depend on the network.
func newKeyring(w wallet.Wallet) (*keyring, error) {
	network := btc.Regtest
	if strings.Contains(w.Receive, "xpub") {
		network = btc.Main
	}
	k := &keyring{script: w.Script, required: w.SignaturesRequired}
	for branch, text := range []string{w.Receive, w.Change} {
		d, err := btc.ParseDescriptor(text, network)
		if err == nil {
			k.branches[branch], err = d.Deriver()
		}
		if err != nil {
			return nil, fmt.Errorf("read a descriptor of wallet %s: %w", w.ID, err)
		}
	}
	for _, key := range w.Keys {
		k.keys = append(k.keys, key.Key)
	}
	return k, nil
}

func (k *keyring) solve(at wallet.Place) (btc.Solution, error) {
	s, err := k.branches[at.Branch].Solve(at.Index)
	if err != nil {
		return s, fmt.Errorf("derive %d/%d: %w", at.Branch, at.Index, err)
	}
	return s, nil
}

// inputs returns our own data about inputs, which is required to verify and finalize their
// signatures.
func (k *keyring) inputs(inputs []Input) ([]psbt.Input, error) {
	all := make([]psbt.Input, len(inputs))
	for i, in := range inputs {
		solution, err := k.solve(in.Place)
		if err != nil {
			return nil, err
		}
		all[i] = psbt.Input{Outpoint: in.Outpoint, Amount: in.Amount, Kind: k.script, SignaturesRequired: k.required, Solution: solution}
	}
	return all, nil
}

// outputs returns the data that identifies the wallet's own outputs; nil for other
// outputs.
func (k *keyring) outputs(outputs []Output) ([]*btc.Solution, error) {
	all := make([]*btc.Solution, len(outputs))
	for i, out := range outputs {
		if out.Own == nil {
			continue
		}
		solution, err := k.solve(*out.Own)
		if err != nil {
			return nil, err
		}
		all[i] = &solution
	}
	return all, nil
}

// find returns the position of a script in the wallet, if one of the wallet's branches
// has the script at the index that the PSBT states.
func (k *keyring) find(says psbt.View, script []byte) (wallet.Place, bool) {
	for _, d := range slices.Concat(says.Derivations, says.TapDerivations) {
		if len(d.Path) == 0 {
			continue
		}
		for branch := range k.branches {
			at := wallet.Place{Branch: wallet.Branch(branch), Index: d.Path[len(d.Path)-1]}
			if s, err := k.solve(at); err == nil && bytes.Equal(s.Script, script) {
				return at, true
			}
		}
		break // all keys of a script have the same position
	}
	return wallet.Place{}, false
}
