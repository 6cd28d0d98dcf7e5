package spend

import (
	"bytes"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/wallet"
)

// Spender is a transaction in the index that spends coins of a proposal.
type Spender struct {
	Txid   string
	Status wallet.Status
	Raw    []byte
	// Replacement is the proposal that it is of, where that replaces this one.
	Replacement string
}

// Settle brings a proposal to where the chain says that it is, and reports
// whether that is another status than it had. The chain has the last word: what
// was cancelled or had expired and was sent all the same is confirmed like
// anything else, and what a reorganization takes out of the chain is waiting again.
func (p *Proposal) Settle(spenders []Spender, now time.Time) (changed bool) {
	to, reason, final := p.Status, "", p.FinalTxid
	switch own, rival := p.own(spenders), p.rival(spenders); {
	case own != nil && own.Status == wallet.Confirmed:
		to, final = Confirmed, own.Txid
	case rival != nil && rival.Status == wallet.Confirmed:
		to, reason = p.lostTo(rival)
	case own != nil && own.Status == wallet.InMempool:
		to, final = Broadcast, own.Txid
	case rival != nil && rival.Replacement != "":
		to, reason = p.lostTo(rival)
	case own != nil && (p.Status == Confirmed || p.Status == Conflicted || p.Status == Replaced):
		to, final = Broadcast, own.Txid // neither in the chain nor in the mempool for now
	}
	if to == p.Status {
		return false
	}
	p.FinalTxid, p.Reason = final, reason
	p.moveTo(to, Actor{}, reason, now)
	return true
}

func (p *Proposal) lostTo(rival *Spender) (Status, string) {
	if rival.Replacement != "" {
		return Replaced, fmt.Sprintf("the proposal %s replaced it with the transaction %s", rival.Replacement, rival.Txid)
	}
	return Conflicted, fmt.Sprintf("the transaction %s, which is confirmed, spent its coins", rival.Txid)
}

// own returns the transaction of the proposal itself, signed by whomever.
func (p *Proposal) own(spenders []Spender) *Spender {
	for i, s := range spenders {
		if s.Txid == p.Txid || s.Txid == p.FinalTxid || UnsignedTxid(s.Raw) == p.Txid {
			return &spenders[i]
		}
	}
	return nil
}

// rival returns the transaction that spends coins of the proposal instead: a
// confirmed one, or else one in the mempool.
func (p *Proposal) rival(spenders []Spender) *Spender {
	own := p.own(spenders)
	var found *Spender
	for i := range spenders {
		s := &spenders[i]
		switch {
		case s == own:
		case s.Status == wallet.Confirmed:
			return s
		case s.Status == wallet.InMempool:
			found = s
		}
	}
	return found
}

// UnsignedTxid returns the txid that a signed transaction had before it was
// signed; empty for what is no transaction.
func UnsignedTxid(raw []byte) string {
	var tx wire.MsgTx
	if err := tx.Deserialize(bytes.NewReader(raw)); err != nil {
		return ""
	}
	for _, in := range tx.TxIn {
		in.SignatureScript, in.Witness = nil, nil
	}
	return tx.TxHash().String()
}

// ReplaceBy ends an open proposal in favour of another.
func (p *Proposal) ReplaceBy(other Proposal) {
	p.ReplacedBy, p.Reason = other.ID, "the proposal "+other.ID+" took its coins over"
	p.moveTo(Replaced, other.Creator, p.Reason, other.CreatedAt)
}

// moveTo records that the proposal came to a status.
func (p *Proposal) moveTo(to Status, by Actor, detail string, now time.Time) {
	p.Status, p.StatusAt = to, now
	p.Steps = append(p.Steps, Step{At: now, Action: string(to), By: by, Detail: detail})
}
