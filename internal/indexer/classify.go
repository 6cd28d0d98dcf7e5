package indexer

import (
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// raw is a parsed transaction with the address of each output, which is empty if its
// script has none.
type raw struct {
	btc.Tx
	addresses []string
}

// ours contains the wallet's addresses and outputs that occur in the transactions to
// classify.
type ours struct {
	places map[string]wallet.Place     // by address
	utxos  map[btc.Outpoint]btc.Amount // the wallet's outputs, with their amounts
}

// classify fills in the fields of a transaction that depend on the wallet.
func classify(t *wallet.Transaction, tx raw, mine ours) {
	t.VSize = tx.VSize
	var in, out, own btc.Amount
	for _, input := range tx.Inputs {
		if amount, ok := mine.utxos[input.Outpoint]; ok {
			t.Inputs = append(t.Inputs, wallet.Input{Prev: input.Outpoint, Amount: amount})
			in += amount
		}
	}
	owned := 0
	for i, output := range tx.Outputs {
		o := wallet.Output{Vout: uint32(i), Address: tx.addresses[i], Amount: output.Amount}
		if place, ok := mine.places[o.Address]; ok && o.Address != "" {
			o.Own = &place
			own += o.Amount
			owned++
		}
		out += o.Amount
		if o.Own != nil || len(t.Inputs) > 0 {
			t.Outputs = append(t.Outputs, o)
		}
	}
	t.Flow = own - in
	t.Category = category(tx, len(t.Inputs), owned)
	if t.Category == wallet.Send || t.Category == wallet.SelfTransfer {
		fee := in - out
		t.Fee = &fee
	}
	if shown := representative(t.Category, tx, t.Outputs); shown != nil {
		t.Address, t.Own = shown.Address, shown.Own
	}
}

func category(tx raw, ownInputs, ownOutputs int) wallet.Category {
	switch {
	case tx.Coinbase:
		return wallet.Generate
	case ownInputs == 0:
		return wallet.Receive
	case ownInputs < len(tx.Inputs):
		return wallet.Mixed
	case ownOutputs == len(tx.Outputs):
		return wallet.SelfTransfer
	}
	return wallet.Send
}

// representative returns the output whose address represents the transaction in
// lists: the first external output if it was sent, otherwise the wallet's first
// output on the receive branch, or else on the change branch, or else the first
// output. Outputs without an address are skipped. It returns nil if no output has an
// address.
func representative(c wallet.Category, tx raw, outputs []wallet.Output) *wallet.Output {
	best, bestRank := (*wallet.Output)(nil), 0
	for i := range outputs {
		o := &outputs[i]
		rank := 1
		switch {
		case o.Address == "":
			continue
		case o.Own == nil && c == wallet.Send:
			rank = 4
		case o.Own != nil && o.Own.Branch == wallet.ReceiveBranch:
			rank = 3
		case o.Own != nil:
			rank = 2
		}
		if rank > bestRank {
			best, bestRank = o, rank
		}
	}
	if best == nil { // none of outputs has an address
		for i, address := range tx.addresses {
			if address != "" {
				return &wallet.Output{Vout: uint32(i), Address: address}
			}
		}
	}
	return best
}
