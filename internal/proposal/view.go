package proposal

import (
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
)

// ReadData fills in the data of the outputs from the PSBT.
func (p *Proposal) ReadData() error {
	if !slices.ContainsFunc(p.Outputs, func(o Output) bool { return o.Address == "" }) {
		return nil
	}
	packet, err := psbt.Parse(p.PSBT)
	if err != nil {
		return fmt.Errorf("read the PSBT of proposal %s: %w", p.ID, err)
	}
	for i, out := range packet.Tx().TxOut {
		if i < len(p.Outputs) && p.Outputs[i].Address == "" {
			p.Outputs[i].Data = btc.DataOf(out.PkScript)
		}
	}
	return nil
}

// PaidRate returns the effective fee rate of a proposal: its fee divided by its virtual
// size. It returns 0 if the size is unknown.
func (p *Proposal) PaidRate() btc.FeeRate {
	return rateOf(p.Fee, int64(p.VSize))
}

// rateOf returns a fee divided by a virtual size, or 0 if the size is unknown.
func rateOf(fee btc.Amount, size int64) btc.FeeRate {
	if size <= 0 {
		return 0
	}
	return btc.FeeRate((int64(fee)*2000 + size) / (2 * size)) // rounded to the nearest
}

// IsSigned reports whether the proposal has ever had enough signatures, so that its
// signed transaction is or was known.
func (p *Proposal) IsSigned() bool { return p.FinalTxid != "" }

// SignaturesAt returns how many signatures an input has.
func (p *Proposal) SignaturesAt(input int) int { return p.signaturesAt(input) }

// FewestSignatures returns the number of signatures of the input that has the fewest.
func (p *Proposal) FewestSignatures() int {
	fewest := p.signaturesAt(0)
	for i := range p.Inputs {
		fewest = min(fewest, p.signaturesAt(i))
	}
	return fewest
}

// LastSignature returns the latest signature by a key, given by its position among the
// wallet's keys, or nil if the key has not signed.
func (p *Proposal) LastSignature(key int) *Signature {
	var last *Signature
	for i, s := range p.Signatures {
		if s.Key == key && (last == nil || !s.At.Before(last.At)) {
			last = &p.Signatures[i]
		}
	}
	return last
}
