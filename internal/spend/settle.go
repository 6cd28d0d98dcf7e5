package spend

import (
	"fmt"
	"time"

	"github.com/specterd/specterd/internal/wallet"
)

// Spender is a transaction in the index that spends coins of a proposal.
type Spender struct {
	Txid         string
	UnsignedTxid string // which it had before it was signed
	Status       wallet.Status
	// Replacement is the proposal that it is of, where that replaces this one.
	Replacement string
}

// Settle brings a proposal to where the chain says that it is, and reports
// whether that is another status than it had. The chain has the last word: what
// was cancelled or had expired and was sent all the same is confirmed like
// anything else, and what a reorganization takes out of the chain is waiting again.
func (p *Proposal) Settle(spenders []Spender, now time.Time) (changed bool) {
	to, reason, final := p.Status, "", p.FinalTxid
	own := p.own(spenders)
	switch rival := rivalOf(own, spenders); {
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
		if s.Txid == p.Txid || s.Txid == p.FinalTxid || s.UnsignedTxid == p.Txid {
			return &spenders[i]
		}
	}
	return nil
}

// rivalOf returns the transaction that spends coins of the proposal instead of its
// own: a confirmed one, or else one in the mempool.
func rivalOf(own *Spender, spenders []Spender) *Spender {
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
