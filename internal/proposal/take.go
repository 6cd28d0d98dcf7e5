package proposal

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// Properties of every transaction that Core creates: its version, and the sequence of
// replaceable inputs. A lower sequence could lock an input (BIP-68), and nodes relay
// other versions by other rules.
const (
	txVersion   = 2
	replaceable = wire.MaxTxInSequenceNum - 2
)

// ErrNodeAltered is returned if the node's transaction differs from the request. The
// transaction is not stored.
var ErrNodeAltered = fault.New(fault.BadGateway, "node_altered_payment",
	"the Bitcoin node created a transaction that differs from the request; nothing was stored. Check specterd's log, and who else has access to the node")

func altered(format string, args ...any) error {
	return ErrNodeAltered.WithCause(fmt.Errorf(format, args...))
}

// ErrPSBTTooLarge is returned if a PSBT exceeds psbt.MaxSize, or would exceed it once it
// is signed.
var ErrPSBTTooLarge = fault.New(fault.Conflict, "transaction_too_large",
	"the PSBT would be larger than %d MiB once it is signed, because it contains the transactions that its UTXOs come from; spend fewer UTXOs at once", psbt.MaxSize>>20)

// errOverpaid is returned if recipients who pay the fee would receive more than was
// requested. Core does so if there is no change and the remainder of the inputs is more
// than the fee.
var errOverpaid = errors.New("the recipients would receive more than requested")

// take checks Core's transaction against the request and our own descriptor, and fills
// the proposal with it. It returns the transaction with placeholders for its signatures.
func (s *Service) take(ctx context.Context, p *Proposal, d draft, f Funding, made Funded, k *keyring) (probe []byte, err error) {
	packet, err := psbt.Parse(made.PSBT)
	if errors.Is(err, psbt.ErrTooLarge) {
		return nil, ErrPSBTTooLarge.WithCause(err)
	}
	if err != nil {
		return nil, altered("its PSBT: %w", err)
	}
	packet = packet.Known() // later versions of Core may add fields to a PSBT
	tx := packet.Tx()
	switch {
	case tx.LockTime != f.LockTime:
		return nil, altered("the lock time is %d", tx.LockTime)
	case tx.Version != txVersion:
		return nil, altered("the transaction's version is %d", tx.Version)
	}
	ours, err := s.ours(ctx, d, k, packet)
	if err != nil {
		return nil, err
	}
	if p.Inputs, err = d.takeInputs(ours, tx, f); err != nil {
		return nil, err
	}
	if err = s.compareUTXOs(ctx, d, packet, p.Inputs); errors.Is(err, errUTXOUnknown) {
		s.await(ctx, d.view.ID, txidsOf(p.Inputs)...) // right after a block, the node may be ahead of the index
		err = s.compareUTXOs(ctx, d, packet, p.Inputs)
	}
	if err != nil {
		return nil, err
	}
	if p.Outputs, err = d.takeOutputs(ours, tx, f); err != nil {
		return nil, err
	}
	if err = p.takeFee(f, made); err != nil {
		return nil, err
	}
	if probe, err = p.keep(packet, k); err != nil {
		return nil, err
	}
	return probe, s.explainFee(ctx, p, d, f, k)
}

// takeFee fills in the fee. It returns an error unless the fee and the position of the
// change match Core's response.
func (p *Proposal) takeFee(f Funding, made Funded) error {
	if at := changePosition(p.Outputs); at != made.ChangePosition {
		return altered("the change is at %d and not at %d", at, made.ChangePosition)
	}
	if p.Fee = feeOf(p.Inputs, p.Outputs); p.Fee != made.Fee || p.Fee < 0 {
		return altered("the fee is %s and not %s", p.Fee, made.Fee)
	}
	return f.checkShares(p.Outputs, p.Fee)
}

// changePosition returns the position of the change among the outputs; -1 for a
// transaction without change.
func changePosition(outputs []Output) int {
	return slices.IndexFunc(outputs, func(out Output) bool { return out.Kind == Change })
}

func feeOf(inputs []Input, outputs []Output) (fee btc.Amount) {
	for _, in := range inputs {
		fee += in.Amount
	}
	for _, out := range outputs {
		fee -= out.Amount
	}
	return fee
}

// checkShares returns an error unless the recipients who pay the fee pay equal shares of
// it, and the first of them also pays the remainder of the division
// (CreateTransactionInternal in Core's src/wallet/spend.cpp). If there is change, they
// must pay the whole fee.
func (f Funding) checkShares(outputs []Output, fee btc.Amount) error {
	taken := make([]btc.Amount, len(f.Outputs))
	var sum btc.Amount
	for _, out := range outputs {
		if out.Recipient >= 0 {
			taken[out.Recipient] = f.Outputs[out.Recipient].Amount - out.Amount
			sum += taken[out.Recipient]
		}
	}
	if len(f.SubtractFrom) == 0 {
		return nil
	}
	if sum > fee || sum != fee && changePosition(outputs) >= 0 {
		return altered("the recipients are short of %s, and the fee is %s", sum, fee)
	}
	payers := btc.Amount(len(f.SubtractFrom))
	share, remainder := sum/payers, sum%payers
	for _, recipient := range slices.Sorted(slices.Values(f.SubtractFrom)) {
		if taken[recipient] != share+remainder {
			return altered("recipient %d is short of %s and not of %s", recipient, taken[recipient], share+remainder)
		}
		remainder = 0 // only the first recipient pays the remainder
	}
	return nil
}

// keep checks a PSBT against our own descriptor and stores it in the proposal. It
// returns the transaction with placeholders for its signatures.
func (p *Proposal) keep(packet *psbt.Packet, k *keyring) (probe []byte, err error) {
	inputs, err := k.inputs(p.Inputs)
	if err != nil {
		return nil, err
	}
	outputs, err := k.outputs(p.Outputs)
	if err != nil {
		return nil, err
	}
	if err := psbt.Verify(packet, inputs, outputs); err != nil {
		return nil, altered("its PSBT: %w", err)
	}
	if k.script.IsMultisig() { // devices recognize multisig wallets by these keys
		if packet, err = packet.WithXPubs(k.keys); err != nil {
			return nil, fmt.Errorf("add the keys of a wallet: %w", err)
		}
	}
	if packet.SizeWhenSigned(inputs) > psbt.MaxSize {
		return nil, ErrPSBTTooLarge
	}
	signed := psbt.Placeholder(packet.Tx(), inputs)
	p.Txid, p.PSBT, p.VSize = packet.Txid(), packet.Bytes(), psbt.VSize(signed)
	var raw bytes.Buffer
	if err := signed.Serialize(&raw); err != nil {
		return nil, fmt.Errorf("write a transaction: %w", err)
	}
	return raw.Bytes(), nil
}

// places contains the outputs that the inputs of a PSBT spend, and the positions of the
// PSBT's addresses in the wallet.
type places struct {
	network btc.Network
	prevs   []*wire.TxOut // the outputs that the inputs spend
	own     map[string]wallet.Place
}

// ours determines which addresses of a PSBT belong to the wallet: the addresses in the
// index, and addresses that our own descriptor derives at the position that the PSBT
// states. Core may watch more addresses than the index has.
func (s *Service) ours(ctx context.Context, d draft, k *keyring, packet *psbt.Packet) (places, error) {
	tx := packet.Tx()
	found := places{network: d.network, prevs: make([]*wire.TxOut, len(tx.TxIn))}
	var views []psbt.View
	var scripts [][]byte
	for i, in := range tx.TxIn {
		view := packet.Input(i)
		prev := spentBy(view, in.PreviousOutPoint.Index)
		if prev == nil {
			return found, altered("input %d does not state the output that it spends", i)
		}
		found.prevs[i] = prev
		views, scripts = append(views, view), append(scripts, prev.PkScript)
	}
	for i, out := range tx.TxOut {
		views, scripts = append(views, packet.Output(i)), append(scripts, out.PkScript)
	}
	addresses := make([]string, len(scripts))
	for i, script := range scripts {
		addresses[i] = btc.AddressOf(script, d.network)
	}
	var err error
	if found.own, err = s.store.OwnPlaces(ctx, d.view.ID, addresses); err != nil {
		return found, err
	}
	for i, address := range addresses {
		if _, known := found.own[address]; known || address == "" {
			continue
		}
		if at, ok := k.find(views[i], scripts[i]); ok {
			found.own[address] = at
		}
	}
	return found, nil
}

// spentBy returns the output that an input claims to spend, or nil. psbt.Verify checks
// the claim.
func spentBy(in psbt.View, index uint32) *wire.TxOut {
	if in.NonWitnessUTXO == nil {
		return in.WitnessUTXO
	}
	if int(index) >= len(in.NonWitnessUTXO.TxOut) {
		return nil
	}
	return in.NonWitnessUTXO.TxOut[index]
}

// takeInputs returns the inputs, which must belong to the wallet, be unique, and include
// the requested ones.
func (d draft) takeInputs(ours places, tx *wire.MsgTx, f Funding) ([]Input, error) {
	inputs := make([]Input, len(tx.TxIn))
	there := map[btc.Outpoint]bool{}
	for i, in := range tx.TxIn {
		at := btc.Outpoint{Txid: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index}
		address := btc.AddressOf(ours.prevs[i].PkScript, ours.network)
		place, own := ours.own[address]
		switch {
		case !own || address == "":
			return nil, altered("input %d does not belong to the wallet", i)
		case there[at]:
			return nil, altered("input %d is a duplicate", i)
		case !f.AddInputs && !slices.Contains(f.Inputs, at):
			return nil, altered("input %d was not requested", i)
		case f.Replaceable && in.Sequence != replaceable, !f.Replaceable && in.Sequence < wire.MaxTxInSequenceNum-1: // a lower sequence locks the input
			return nil, altered("input %d has the sequence %d", i, in.Sequence)
		}
		there[at] = true
		inputs[i] = Input{Outpoint: at, Place: place, Address: address, Amount: btc.Amount(ours.prevs[i].Value)}
	}
	for _, at := range f.Inputs {
		if !there[at] {
			return nil, altered("the input %s is missing", at)
		}
	}
	return inputs, nil
}

// errUTXOUnknown is returned for a taproot UTXO that is not in the index and whose
// previous transaction is not in the PSBT, so that its amount cannot be verified.
var errUTXOUnknown = fault.New(fault.Unavailable, "utxo_unknown",
	"the Bitcoin node would spend a UTXO that is not in the index yet; nothing was stored, try again shortly").WithRetryAfter(2 * time.Second)

func txidsOf(inputs []Input) []string {
	txids := make([]string, len(inputs))
	for i, in := range inputs {
		txids[i] = in.Txid
	}
	return txids
}

// compareUTXOs returns ErrNodeAltered if an input differs from the index, and
// errUTXOUnknown for a taproot UTXO that the index does not have, unless the PSBT contains
// its previous transaction. For other scripts, psbt.Verify requires the previous
// transactions.
func (s *Service) compareUTXOs(ctx context.Context, d draft, packet *psbt.Packet, inputs []Input) error {
	at := make([]btc.Outpoint, len(inputs))
	for i, in := range inputs {
		at[i] = in.Outpoint
	}
	known, err := s.store.OwnUTXOs(ctx, d.view.ID, at)
	if err != nil {
		return err
	}
	for i, in := range inputs {
		utxo, ok := known[in.Outpoint]
		switch {
		case !ok && packet.Input(i).NonWitnessUTXO == nil && d.view.Script == btc.TR:
			return errUTXOUnknown.WithDetail("utxos", in.String())
		case ok && (utxo.Amount != in.Amount || utxo.Place != in.Place):
			return altered("input %d has %s at %v, and is known to have %s at %v", i, in.Amount, in.Place, utxo.Amount, utxo.Place)
		}
	}
	return nil
}

// takeOutputs returns the outputs: one for each recipient, and at most one other, which
// must be change to the requested address. Outputs to one address belong to its recipients
// in their order.
func (d draft) takeOutputs(ours places, tx *wire.MsgTx, f Funding) ([]Output, error) {
	open := map[string][]int{} // positions of the recipients of a script that have no output yet
	for i, r := range f.Outputs {
		script, err := r.Script(ours.network)
		if err != nil {
			return nil, err
		}
		open[string(script)] = append(open[string(script)], i)
	}
	outputs := make([]Output, len(tx.TxOut))
	hasChange := false
	for i, out := range tx.TxOut {
		o := Output{Address: btc.AddressOf(out.PkScript, ours.network), Amount: btc.Amount(out.Value), Kind: External, Recipient: -1}
		if place, own := ours.own[o.Address]; own && o.Address != "" {
			o.Kind, o.Own = Own, &place
		}
		switch recipients := open[string(out.PkScript)]; {
		case len(recipients) > 0: // Core keeps the order of the recipients
			o.Recipient, open[string(out.PkScript)] = recipients[0], recipients[1:]
			o.Asked, o.Data = d.Recipients[o.Recipient].Amount, f.Outputs[o.Recipient].Data
			if err := f.checkPaid(o, len(tx.TxOut) > len(f.Outputs)); err != nil {
				return nil, err
			}
		case o.Address == f.ChangeAddress && !hasChange && o.Own != nil:
			hasChange, o.Kind = true, Change
		default:
			return nil, altered("output %d was not requested: %s", i, hex.EncodeToString(out.PkScript))
		}
		outputs[i] = o
	}
	for _, recipients := range open {
		if len(recipients) > 0 {
			return nil, altered("an output is missing")
		}
	}
	return outputs, nil
}

// checkPaid returns an error unless a recipient gets the requested amount, or less if the
// recipient pays the fee; checkShares checks how much less. It returns errOverpaid if a
// recipient who pays the fee gets more in a transaction without change.
func (f Funding) checkPaid(o Output, hasChange bool) error {
	asked, pays := f.Outputs[o.Recipient].Amount, slices.Contains(f.SubtractFrom, o.Recipient)
	switch {
	case o.Amount == asked, pays && o.Amount > 0 && o.Amount < asked:
		return nil
	case pays && o.Amount > asked && !hasChange:
		return errOverpaid
	}
	return altered("recipient %d gets %s", o.Recipient, o.Amount)
}
