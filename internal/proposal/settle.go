package proposal

import (
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/wallet"
)

// Spender is a transaction in the index that spends inputs of a proposal.
type Spender struct {
	Txid         string
	UnsignedTxid string // txid of the unsigned transaction
	Status       wallet.Status
	Raw          []byte
	// Replacement is the id of the proposal that the transaction belongs to, if that proposal
	// replaces this one, directly or through others; otherwise empty.
	Replacement string
}

// InputState is the state of a proposal's inputs in the index.
type InputState struct {
	Wallet wallet.Wallet // the wallet whose keys sign
	// Spenders are the transactions that spend the inputs.
	Spenders []Spender
	// Lost is an ancestor of the inputs that was replaced, conflicted or abandoned, so that
	// not all inputs exist; nil if there is none.
	Lost *Ancestor
	// Taken reports whether another open proposal now reserves one of the inputs, or has the
	// change address.
	Taken bool
}

// Ancestor is a transaction from which the inputs of a proposal descend.
type Ancestor struct {
	Txid   string
	Status wallet.Status
}

// Settle updates a proposal to the state of the index, and reports whether anything
// changed. The status follows from the inputs: whether they exist, and which transaction
// spends them. The chain overrides everything else: a proposal that was cancelled or
// expired but sent nevertheless becomes confirmed, and a transaction that a
// reorganization removes from the chain becomes unconfirmed again. A proposal that users
// ended stays ended unless its own transaction appears.
func (p *Proposal) Settle(inputs InputState, now time.Time) (changed bool) {
	own := p.own(inputs.Spenders)
	rival := rivalOf(own, inputs.Spenders)
	switch {
	case own.is(wallet.Confirmed):
		return p.sentAs(Confirmed, own, inputs.Wallet, now)
	case rival.is(wallet.Confirmed) && !p.endedByPeople(own):
		return p.lostTo(rival, now)
	case own.is(wallet.InMempool):
		return p.sentAs(Broadcast, own, inputs.Wallet, now)
	case p.endedByPeople(own):
		return false
	case rival != nil && rival.Replacement != "":
		return p.lostTo(rival, now)
	case inputs.Lost != nil:
		return p.end(Conflicted, "", fmt.Sprintf("the transaction %s, which its inputs come from, is %s", inputs.Lost.Txid, inputs.Lost.Status), now)
	case own != nil:
		return p.settleUnsent(own, inputs.Wallet, now)
	case p.Status == Conflicted && !inputs.Taken:
		return p.reopen(now)
	}
	return false
}

func (s *Spender) is(status wallet.Status) bool { return s != nil && s.Status == status }

// endedByPeople reports whether the proposal was cancelled, expired or replaced before its
// own transaction was sent, and therefore keeps that status. It returns false if a
// cancelled or expired proposal has an inactive or replaced transaction, because the
// transaction then spends the inputs: other software sent it, or Core has forgotten that
// it was abandoned, as Core does when the block with a double spend leaves the chain.
func (p *Proposal) endedByPeople(own *Spender) bool {
	switch p.Status {
	case Cancelled, Expired, Rejected:
		return !own.is(wallet.Inactive) && !own.is(wallet.Replaced)
	case Replaced:
		return own == nil
	}
	return false
}

// settleUnsent settles a proposal whose inputs exist and whose transaction is in the
// index, but neither in the chain nor in the mempool.
func (p *Proposal) settleUnsent(own *Spender, w wallet.Wallet, now time.Time) (changed bool) {
	switch own.Status {
	case wallet.Conflicted:
		return p.end(Conflicted, "", fmt.Sprintf("its transaction %s conflicts with a confirmed transaction", own.Txid), now)
	case wallet.Abandoned:
		return p.end(Cancelled, "", "its transaction was abandoned in Bitcoin Core; anyone who has a copy of it can still send it", now)
	case wallet.Confirmed, wallet.InMempool, wallet.Inactive, wallet.Replaced:
	}
	return p.sentAs(Broadcast, own, w, now)
}

// sentAs records that own, a signed version of the proposal's transaction, was sent, by
// specterd or by other software, and adds its signatures to the proposal.
func (p *Proposal) sentAs(to Status, own *Spender, w wallet.Wallet, now time.Time) (changed bool) {
	if p.Status == to && p.FinalTxid == own.Txid && len(p.Raw) > 0 {
		return false
	}
	if len(p.Raw) == 0 || p.FinalTxid != own.Txid {
		p.FinalTxid, p.Raw = own.Txid, own.Raw
		if _, vsize, err := describe(own.Raw); err == nil {
			p.VSize = vsize
		}
		p.adopt(w, own.Raw, now)
	}
	p.Reason, p.ReplacedBy = "", ""
	if p.Status != to {
		p.moveTo(to, Actor{}, "", now)
	}
	return true
}

// lostTo records that the transaction rival spends the inputs. The proposal becomes
// replaced if rival belongs to one of its replacements, and otherwise conflicted.
func (p *Proposal) lostTo(rival *Spender, now time.Time) (changed bool) {
	if rival.Replacement == "" {
		return p.end(Conflicted, "", fmt.Sprintf("the transaction %s, which is confirmed, spent its UTXOs", rival.Txid), now)
	}
	return p.end(Replaced, rival.Replacement, fmt.Sprintf("the proposal %s replaced it with the transaction %s", rival.Replacement, rival.Txid), now)
}

func (p *Proposal) end(to Status, replacedBy, reason string, now time.Time) (changed bool) {
	if p.Status == to && p.ReplacedBy == replacedBy {
		return false
	}
	p.ReplacedBy, p.Reason = replacedBy, reason
	if p.Status != to {
		p.moveTo(to, Actor{}, reason, now)
	}
	return true
}

// reopen restores the status that the proposal had before its inputs were lost.
func (p *Proposal) reopen(now time.Time) (changed bool) {
	to, reason := p.openStatus(), ""
steps:
	for _, step := range slices.Backward(p.Steps) {
		switch was := Status(step.Action); was {
		case Broadcast, Confirmed:
			to = Broadcast
			break steps
		case Cancelled, Expired, Rejected, Replaced:
			to, reason = was, "it was "+step.Action+" before its inputs were lost"
			break steps
		case AwaitingApproval, Created, PartiallySigned, Complete:
			break steps
		case Conflicted:
		}
	}
	p.Reason, p.ReplacedBy = reason, ""
	p.moveTo(to, Actor{}, "its inputs exist again", now)
	if to == AwaitingApproval { // its delay may have ended meanwhile
		p.TryAt = now
	}
	return true
}

// openStatus returns the status of an open proposal, which follows from its release and its
// signatures.
func (p *Proposal) openStatus() Status {
	switch {
	case p.Review != nil && !p.Review.Released:
		return AwaitingApproval
	case len(p.Raw) > 0:
		return Complete
	case len(p.Signatures) > 0:
		return PartiallySigned
	}
	return Created
}

// own returns the proposal's own transaction among spenders, regardless of who signed it,
// or nil.
func (p *Proposal) own(spenders []Spender) *Spender {
	for i, s := range spenders {
		if s.Txid == p.Txid || s.Txid == p.FinalTxid || s.UnsignedTxid == p.Txid {
			return &spenders[i]
		}
	}
	return nil
}

// rivalOf returns the transaction that spends inputs of the proposal instead of its own
// transaction: a confirmed one, or else one in the mempool, or nil.
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

// ReplaceBy ends an open proposal that another one replaces.
func (p *Proposal) ReplaceBy(other Proposal) {
	p.ReplacedBy, p.Reason = other.ID, "the proposal "+other.ID+" took over its UTXOs"
	p.moveTo(Replaced, other.Creator, p.Reason, other.CreatedAt)
}

// moveTo records a change of status. If the proposal becomes cancelled, expired or
// replaced, it loses its signatures; see DropSignatures.
func (p *Proposal) moveTo(to Status, by Actor, detail string, now time.Time) {
	p.Status, p.StatusAt = to, now
	p.Steps = append(p.Steps, Step{At: now, Action: string(to), By: by, Detail: detail})
	p.DropSignatures()
}
