package wallet

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// MaxLabels is the maximum number of labels in one call.
const MaxLabels = 10_000

// Types of btc.Label that wallets use.
const (
	labelAddress     = "addr"
	labelTransaction = "tx"
	labelOutput      = "output"
)

// ErrOutputNotFound is returned for an output that is not in the wallet's index.
var ErrOutputNotFound = fault.New(fault.NotFound, "output_not_found",
	"output not found; a wallet has its own outputs, and all outputs of the transactions that spend from it")

// Labels yields the labels of a wallet in the order of type and reference, with
// "spendable": false for frozen unspent outputs; frozen outputs without a label
// come last. An error is yielded once, at the end.
func (s *Service) Labels(ctx context.Context, access Access) (iter.Seq2[btc.Label, error], error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	outpoints, err := s.store.FrozenUTXOs(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	frozen := make(map[string]bool, len(outpoints))
	for _, at := range outpoints {
		frozen[at.String()] = true
	}
	return func(yield func(btc.Label, error) bool) {
		for l, err := range s.store.Labels(ctx, v.ID) {
			if l.Type == labelOutput && frozen[l.Ref] {
				l.Spendable = new(bool)
				delete(frozen, l.Ref)
			}
			if !yield(l, err) || err != nil {
				return
			}
		}
		for _, at := range outpoints {
			if frozen[at.String()] && !yield(btc.Label{Type: labelOutput, Ref: at.String(), Spendable: new(bool)}, nil) {
				return
			}
		}
	}, nil
}

// AddressLabels returns the labels of those of the addresses that have one, by address. The
// addresses need not belong to the wallet.
func (s *Service) AddressLabels(ctx context.Context, access Access, addresses []string) (map[string]string, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.LabelsAmong(ctx, v.ID, labelAddress, addresses)
}

// SetLabels sets labels of a wallet, as returned by btc.ParseLabel, and deletes
// labels that are empty. Labels of outputs with "spendable" freeze or unfreeze the
// output. It requires the role proposer, or signer if an output is frozen or
// unfrozen. The labelled objects need not belong to the wallet. Either all labels are
// set or none, but after an error some outputs may already be frozen or unfrozen; the
// whole call can be repeated. If all labels are set already, nothing is changed. The maximum is MaxLabels.
func (s *Service) SetLabels(ctx context.Context, access Access, labels []btc.Label) error {
	_, err := s.setLabels(ctx, access, labels)
	return err
}

// setLabels is SetLabels, and reports whether all labels were set already.
func (s *Service) setLabels(ctx context.Context, access Access, labels []btc.Label) (unchanged bool, err error) {
	if len(labels) > MaxLabels {
		return false, fault.New(fault.Invalid, "too_many_labels", "%d labels exceed the limit of %d per request; send them in parts", len(labels), MaxLabels)
	}
	needed := auth.RoleProposer
	if slices.ContainsFunc(labels, func(l btc.Label) bool { return l.Spendable != nil }) {
		needed = auth.RoleSigner
	}
	v, err := s.View(ctx, access, needed)
	if err != nil {
		return false, err
	}
	texts := slices.DeleteFunc(slices.Clone(labels), func(l btc.Label) bool { return l.Label == nil })
	for _, l := range texts {
		if err := CheckLabel("label", *l.Label); err != nil {
			return false, err
		}
	}
	changed := false
	if needed == auth.RoleSigner {
		if changed, err = s.setSpendable(ctx, access.Caller(), v.Wallet, labels); err != nil {
			return false, err
		}
		s.kick(v.ID)
	}
	unchanged, err = s.putLabels(ctx, access, v.ID, texts)
	return unchanged && !changed, err
}

// putLabels sets labels, and reports whether all were set already. It stores nothing then.
func (s *Service) putLabels(ctx context.Context, access Access, walletID string, labels []btc.Label) (unchanged bool, err error) {
	if unchanged, err = s.areSet(ctx, walletID, labels); unchanged || err != nil {
		return unchanged, err
	}
	return false, s.store.SetLabels(ctx, walletID, labels, access.Caller().Event(s.now(), "wallet.label", walletID, text.Count(len(labels), "label")))
}

// areSet reports whether all labels are set already, so that there is nothing to change. Labels with an
// origin count as changed.
func (s *Service) areSet(ctx context.Context, walletID string, labels []btc.Label) (bool, error) {
	refs := map[string][]string{} // by type
	for _, l := range labels {
		if l.Origin != "" {
			return false, nil
		}
		refs[l.Type] = append(refs[l.Type], l.Ref)
	}
	existing := map[string]map[string]string{}
	for kind, of := range refs {
		var err error
		if existing[kind], err = s.store.LabelsAmong(ctx, walletID, kind, of); err != nil {
			return false, err
		}
	}
	return !slices.ContainsFunc(labels, func(l btc.Label) bool { return existing[l.Type][l.Ref] != *l.Label }), nil
}

// ImportLabels is SetLabels for labels from another program. It ignores "spendable"
// for outputs that do not belong to the wallet, except while the history is
// incomplete, and removes control characters and invisible characters. Foreign and
// cleaned are the positions of the labels that it changed for these reasons.
func (s *Service) ImportLabels(ctx context.Context, access Access, labels []btc.Label) (foreign, cleaned []int, unchanged bool, err error) {
	v, err := s.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return nil, nil, false, err
	}
	labels = slices.Clone(labels)
	cleaned = cleanLabels(labels)
	if v.Synced.Height >= 0 && !v.Rescanning() {
		if foreign, err = s.ignoreForeign(ctx, v.ID, labels); err != nil {
			return nil, nil, false, err
		}
	}
	unchanged, err = s.setLabels(ctx, access, labels)
	return foreign, cleaned, unchanged, err
}

func cleanLabels(labels []btc.Label) (cleaned []int) {
	for i, l := range labels {
		if l.Label == nil {
			continue
		}
		if label := text.Clean(*l.Label); label != *l.Label {
			labels[i].Label = &label
			cleaned = append(cleaned, i)
		}
	}
	return cleaned
}

// ignoreForeign removes "spendable" from outputs that do not belong to the wallet.
func (s *Service) ignoreForeign(ctx context.Context, walletID string, labels []btc.Label) (foreign []int, err error) {
	at := map[int]btc.Outpoint{}
	for i, l := range labels {
		if l.Spendable == nil {
			continue
		}
		if at[i], err = btc.ParseOutpoint(l.Ref); err != nil {
			return nil, err
		}
	}
	own, err := s.store.OwnOutputs(ctx, walletID, slices.Collect(maps.Values(at)))
	if err != nil {
		return nil, err
	}
	for _, i := range slices.Sorted(maps.Keys(at)) {
		if _, ok := own[at[i]]; !ok {
			labels[i].Spendable = nil
			foreign = append(foreign, i)
		}
	}
	return foreign, nil
}

// LabelAddress sets the label of an address of the wallet; an empty label deletes it. The
// address need not be in canonical form. Like LabelTransaction and LabelOutput, it
// requires the role proposer. It returns ErrAddressNotFound if the wallet has no such
// address.
func (s *Service) LabelAddress(ctx context.Context, access Access, address, label string) error {
	return s.setLabel(ctx, access, label, func(walletID string) (btc.Label, error) {
		address, err := s.canonical(address)
		if err != nil {
			return btc.Label{}, err
		}
		a, err := s.store.AddressOf(ctx, walletID, address)
		return btc.Label{Type: labelAddress, Ref: a.Address}, err
	})
}

// LabelTransaction sets the label of a transaction of a wallet, or deletes it. It
// returns ErrTransactionNotFound if the wallet has no such transaction.
func (s *Service) LabelTransaction(ctx context.Context, access Access, txid, label string) error {
	return s.setLabel(ctx, access, label, func(walletID string) (btc.Label, error) {
		_, err := s.store.TransactionByID(ctx, walletID, txid)
		return btc.Label{Type: labelTransaction, Ref: txid}, err
	})
}

// LabelOutput sets or deletes the label of an output of a wallet's transactions,
// whether or not it belongs to the wallet or is spent. It returns the updated
// output, or ErrOutputNotFound.
func (s *Service) LabelOutput(ctx context.Context, access Access, at btc.Outpoint, label string) (Output, error) {
	var found Output
	err := s.setLabel(ctx, access, label, func(walletID string) (btc.Label, error) {
		r, err := s.store.TransactionByID(ctx, walletID, at.Txid)
		i := slices.IndexFunc(r.Outputs, func(o Output) bool { return o.Vout == at.Vout })
		if errors.Is(err, ErrTransactionNotFound) || err == nil && i < 0 {
			return btc.Label{}, ErrOutputNotFound
		}
		if err == nil {
			found = r.Outputs[i]
		}
		return btc.Label{Type: labelOutput, Ref: at.String()}, err
	})
	found.Label = cmp.Or(label, found.AddressLabel)
	return found, err
}

// setLabel sets or deletes one label of the object that find looks up in the
// wallet.
func (s *Service) setLabel(ctx context.Context, access Access, label string, find func(walletID string) (btc.Label, error)) error {
	if err := CheckLabel("label", label); err != nil {
		return err
	}
	v, err := s.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return err
	}
	l, err := find(v.ID)
	if err != nil {
		return err
	}
	l.Label = &label
	_, err = s.putLabels(ctx, access, v.ID, []btc.Label{l})
	return err
}

// setSpendable unfreezes and then freezes the outputs of labels with "spendable", all
// outputs of each kind at once. If an output has several labels, the last one applies.
// For an output that is not in the index, the state is stored and takes effect once
// the output is indexed. It reports whether any output was not yet in that state.
func (s *Service) setSpendable(ctx context.Context, who *auth.Principal, w Wallet, labels []btc.Label) (changed bool, err error) {
	order, wanted, err := spendable(labels)
	if err != nil {
		return changed, err
	}
	var known, unknown [2][]UTXO // to unfreeze, and to freeze
	for _, at := range order {
		frozen, kind := wanted[at], 0
		if frozen {
			kind = 1
		}
		c, err := s.store.UTXO(ctx, w.ID, at)
		switch {
		case errors.Is(err, ErrUTXONotFound):
			unknown[kind] = append(unknown[kind], UTXO{Outpoint: at})
		case err != nil:
			return changed, err
		case c.Frozen != frozen || c.Locked != frozen && !c.Reserved:
			known[kind] = append(known[kind], c)
		}
	}
	for kind, frozen := range []bool{false, true} {
		changed = changed || len(known[kind]) > 0 || len(unknown[kind]) > 0
		if err := s.remember(ctx, who, w, unknown[kind], frozen); err != nil {
			return changed, err
		}
		if len(known[kind]) == 0 {
			continue
		}
		if err := s.freeze(ctx, who, w, known[kind], frozen); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// spendable returns the outputs that labels freeze (true) or unfreeze, without
// duplicates, in the order of the labels.
func spendable(labels []btc.Label) (order []btc.Outpoint, frozen map[btc.Outpoint]bool, err error) {
	frozen = map[btc.Outpoint]bool{}
	for _, l := range labels {
		if l.Spendable == nil {
			continue
		}
		at, err := btc.ParseOutpoint(l.Ref)
		if err != nil || l.Type != labelOutput {
			return nil, nil, fault.InvalidField("spendable", "is allowed only for labels of outputs")
		}
		if _, ok := frozen[at]; !ok {
			order = append(order, at)
		}
		frozen[at] = !*l.Spendable
	}
	return order, frozen, nil
}
