package proposal

import "github.com/specterd/specterd/internal/btc"

// PaidRate is the fee rate that a proposal really pays: its fee by its virtual size.
func (p *Proposal) PaidRate() btc.FeeRate {
	if p.VSize <= 0 {
		return 0
	}
	size := int64(p.VSize)
	return btc.FeeRate((int64(p.Fee)*2000 + size) / (2 * size)) // to the nearest
}

// IsSigned reports whether it had enough signatures at some time, so that its signed
// transaction is known or was.
func (p *Proposal) IsSigned() bool { return p.FinalTxid != "" }

// SignaturesAt is how many signatures an input has.
func (p *Proposal) SignaturesAt(input int) int { return p.signaturesAt(input) }

// LastSignature is the latest one of a key; nil for none.
func (p *Proposal) LastSignature(key int) *Signature {
	var last *Signature
	for i, s := range p.Signatures {
		if s.Key == key && (last == nil || !s.At.Before(last.At)) {
			last = &p.Signatures[i]
		}
	}
	return last
}
