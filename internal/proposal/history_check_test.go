package proposal_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/wire"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// expected is the test's own record of a proposal, independent of specterd.
type expected struct {
	name   string // in the printed history
	id     string
	tx     *wire.MsgTx // signed
	txid   string      // of tx
	inputs []btc.Outpoint
	change string // change address; empty for none
	// base is the status that results from user actions and the clock, regardless of the
	// chain: an open status, cancelled, expired, replaced (by the proposal in field by)
	// or broadcast.
	base     proposal.Status
	by       *expected
	replaces *expected // nil for none
	expires  time.Time
	overdue  bool // it expired while it was conflicted
	// last is the status at the last check. A conflicted proposal may stay conflicted
	// if it was blocked, that is, if another proposal held its UTXOs or change address.
	last    proposal.Status
	blocked bool
	charged
}

// supersedes reports whether e replaces another proposal, directly or indirectly.
func (e *expected) supersedes(other *expected) bool {
	for r := e.replaces; r != nil; r = r.replaces {
		if r == other {
			return true
		}
	}
	return false
}

// verdict lists the statuses that a proposal may have.
type verdict struct {
	statuses []proposal.Status
	by       []*expected // proposals that may have replaced it
	why      string
}

// judge derives a proposal's status from Core's view of its inputs and of the
// transactions that spend them.
func (s *testWallet) judge(f *facts, e *expected) verdict {
	own := f.txs[e.txid]
	ended := e.base == proposal.Cancelled || e.base == proposal.Expired || e.base == proposal.Rejected
	if own != nil && (!own.gone() || ended && own.Confirmations == 0 && !own.abandoned() && !own.orphaned()) {
		e.base, ended = proposal.Broadcast, false
	}
	if own != nil && own.Confirmations > 0 {
		return verdict{statuses: []proposal.Status{proposal.Confirmed}, why: "its transaction is confirmed"}
	}
	replaced := e.base == proposal.Replaced
	if v := s.unconfirmableStatus(f, e); v != nil {
		switch {
		case ended && own == nil:
			return verdict{statuses: []proposal.Status{e.base}, why: "it had ended before"}
		case ended: // during a reorganization, Core may have forgotten that it was abandoned
			v.statuses = append(v.statuses, e.base)
		case replaced:
			v.statuses, v.by = append(v.statuses, proposal.Replaced), append(v.by, e.by)
		case own == nil && e.overdue:
			v.statuses = append(v.statuses, proposal.Expired)
		}
		return *v
	}
	if own != nil && own.inMempool {
		return verdict{statuses: []proposal.Status{proposal.Broadcast}, why: "its transaction is in the mempool"}
	}
	if !ended {
		if by := s.successors(f, e, func(t *coreTx) bool { return t.inMempool }); len(by) > 0 {
			if replaced {
				by = append(by, e.by)
			}
			return verdict{statuses: []proposal.Status{proposal.Replaced}, by: by, why: "its replacement is in the mempool"}
		}
	}
	if own != nil && own.abandoned() {
		return verdict{statuses: []proposal.Status{proposal.Cancelled}, why: "its transaction was abandoned"}
	}
	if own != nil && !ended && !replaced {
		return verdict{statuses: []proposal.Status{proposal.Broadcast}, why: "its transaction is known to the wallet"}
	}
	v := verdict{statuses: []proposal.Status{e.base}, why: "nothing happened to its UTXOs"}
	if e.by != nil {
		v.by = []*expected{e.by}
	}
	if e.overdue {
		v.statuses = append(v.statuses, proposal.Expired)
	}
	if e.last == proposal.Conflicted && e.base.Open() && s.blocks(e) {
		v.statuses = append(v.statuses, proposal.Conflicted)
		v.why = "others have its UTXOs or its change address"
	}
	return v
}

// unconfirmableStatus returns the status of a proposal that cannot be confirmed unless the chain
// changes; nil if the proposal can be confirmed.
func (s *testWallet) unconfirmableStatus(f *facts, e *expected) *verdict {
	for _, at := range e.inputs {
		for _, txid := range f.spenders[at] {
			if txid == e.txid || f.txs[txid].Confirmations <= 0 {
				continue
			}
			if by := s.successors(f, e, func(t *coreTx) bool { return t.Confirmations > 0 }); len(by) > 0 {
				return &verdict{statuses: []proposal.Status{proposal.Replaced}, by: by, why: "its replacement is confirmed"}
			}
			return &verdict{statuses: []proposal.Status{proposal.Conflicted}, why: s.names[txid] + ", which is confirmed, spends " + s.nameOf(at)}
		}
	}
	for _, at := range e.inputs {
		if f.dead(at) {
			return &verdict{statuses: []proposal.Status{proposal.Conflicted}, why: "the input " + s.nameOf(at) + " can no longer exist"}
		}
	}
	return nil
}

// successors returns the proposals that replace e and whose transaction spends one of the
// inputs of e and satisfies state.
func (s *testWallet) successors(f *facts, e *expected, state func(*coreTx) bool) (found []*expected) {
	for _, other := range s.proposals {
		t := f.txs[other.txid]
		shares := slices.ContainsFunc(other.inputs, func(at btc.Outpoint) bool { return slices.Contains(e.inputs, at) })
		if t != nil && other.supersedes(e) && shares && state(t) {
			found = append(found, other)
		}
	}
	return found
}

// blocks reports whether another proposal holds an input or the change address of e, or
// has held one since e became conflicted.
func (s *testWallet) blocks(e *expected) bool {
	for _, other := range s.proposals {
		if other == e {
			continue
		}
		shares := slices.ContainsFunc(other.inputs, func(at btc.Outpoint) bool { return slices.Contains(e.inputs, at) })
		if other.last.Open() && shares || e.change != "" && other.change == e.change {
			e.blocked = true
		}
	}
	return e.blocked
}

// nameOf returns the name of an output in the printed history.
func (s *testWallet) nameOf(at btc.Outpoint) string {
	name := s.names[at.Txid]
	if name == "" {
		name = at.Txid
	}
	return fmt.Sprintf("%s:%d", name, at.Vout)
}

// compare returns the differences between a wallet in specterd and in Core. If they
// agree, it stores the statuses. Unless all is set, it leaves out the proposals of
// earlier histories.
func (h *histories) compare(s *testWallet, all bool) (differences []string) {
	f, err := h.ask(s)
	if err != nil {
		return []string{err.Error()}
	}
	ctx := h.t.Context()
	looked := s.proposals
	if !all {
		looked = s.proposals[s.begin:]
	}
	list, err1 := h.List(ctx, h.access(h.alice, s.alias), proposal.Filter{}, proposal.Cursor{}, len(looked)+1)
	view, err2 := h.wallets.Get(ctx, h.access(h.alice, s.alias))
	utxos, err3 := h.wallets.UTXOs(ctx, h.access(h.alice, s.alias), btc.Outpoint{}, 1000)
	reserved, err4 := h.store.Reservations(ctx, s.id)
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return []string{err.Error()}
		}
	}
	if view.Synced.Hash != f.tip {
		return []string{"the index is at another block than the node"}
	}
	byID := map[string]proposal.Proposal{}
	for _, p := range list {
		byID[p.ID] = p
	}
	holders := map[btc.Outpoint]string{}
	for _, e := range s.proposals[:len(s.proposals)-len(looked)] {
		if e.last.Open() {
			for _, at := range e.inputs {
				holders[at] = e.id
			}
		}
	}
	for _, e := range looked {
		p, ok := byID[e.id]
		if !ok {
			differences = append(differences, e.name+" is missing")
			continue
		}
		e.status = p.Status
		own := f.txs[e.txid]
		e.evicted = own != nil && own.Confirmations == 0 && !own.inMempool && !own.abandoned() && !own.orphaned()
		e.sent = slices.ContainsFunc(p.Steps, func(step proposal.Step) bool {
			return step.Action == string(proposal.Broadcast) || step.Action == string(proposal.Confirmed)
		})
		for _, text := range append(s.compareProposal(f, e, p), e.compareReview(p)...) {
			differences = append(differences, e.name+" "+text)
		}
		if p.Status.Open() {
			for _, at := range e.inputs {
				holders[at] = p.ID
			}
		}
	}
	differences = append(differences, s.compareReserved(f, holders, reserved)...)
	differences = append(differences, s.compareUTXOs(f, view.Balances, utxos)...)
	differences = append(differences, h.compareSpends(s, looked, all)...)
	if all {
		differences = append(differences, s.replay.Differences(ctx, h.store, s.id)...)
	}
	if len(differences) == 0 {
		s.remember(h, looked, byID, utxos)
	}
	return differences
}

func (s *testWallet) remember(h *histories, looked []*expected, byID map[string]proposal.Proposal, utxos []wallet.UTXO) {
	for _, e := range looked {
		now := byID[e.id].Status
		if now != e.last {
			h.reached[now]++
		}
		if e.last = now; now != proposal.Conflicted {
			e.blocked = false
		}
	}
	for _, c := range utxos {
		s.addUTXO(s.keys.utxo(h.t, c.Outpoint, c.Place, c.Address, c.Amount))
	}
}

// compareProposal returns the differences in one proposal.
func (s *testWallet) compareProposal(f *facts, e *expected, p proposal.Proposal) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	v := s.judge(f, e)
	if !slices.Contains(v.statuses, p.Status) {
		say("is %s (%q), want %v: %s", p.Status, p.Reason, v.statuses, v.why)
		return wrong
	}
	if p.Status == proposal.Replaced {
		if !slices.ContainsFunc(v.by, func(by *expected) bool { return by.id == p.ReplacedBy }) {
			say("is replaced by %q, which is not one of %d candidates (%s)", p.ReplacedBy, len(v.by), v.why)
		}
	} else if p.ReplacedBy != "" {
		say("is %s, but replaced by %s", p.Status, p.ReplacedBy)
	}
	final := p.Status == proposal.Complete || p.Status == proposal.Broadcast || p.Status == proposal.Confirmed
	if final && p.FinalTxid != e.txid {
		say("is %s with the final txid %q, want %s", p.Status, p.FinalTxid, e.txid)
	}
	if final && len(p.Raw) == 0 {
		say("is %s, but has no transaction", p.Status)
	}
	if tx, err := btc.ParseTx(p.Raw); len(p.Raw) > 0 && (err != nil || tx.Txid != p.FinalTxid) {
		say("has a transaction that does not match its final txid")
	}
	if final && len(p.Signatures) < len(e.inputs)*s.keys.kind.SignaturesRequired() {
		say("is %s with %d signatures for %d inputs", p.Status, len(p.Signatures), len(e.inputs))
	}
	ended := []proposal.Status{proposal.Cancelled, proposal.Expired, proposal.Rejected, proposal.Replaced, proposal.Conflicted}
	if slices.Contains(ended, p.Status) != (p.Reason != "") {
		say("is %s for the reason %q", p.Status, p.Reason)
	}
	steps := slices.DeleteFunc(slices.Clone(p.Steps), func(step proposal.Step) bool { return step.Action == "signed" || step.Action == "approved" })
	if last := steps[len(steps)-1].Action; last != string(p.Status) {
		say("is %s, but its last step is %s", p.Status, last)
	}
	return wrong
}

// compareReserved returns the differences in reservations and locks.
func (s *testWallet) compareReserved(f *facts, holders map[btc.Outpoint]string, reserved []proposal.Reservation) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	found := map[btc.Outpoint]string{}
	for _, r := range reserved {
		if r.ProposalID != "" {
			found[r.Outpoint] = r.ProposalID
		}
	}
	if !maps.Equal(found, holders) {
		say("%d UTXOs are reserved, but open proposals have %d inputs", len(found), len(holders))
	}
	for at := range f.locked {
		if holders[at] == "" && !f.spent(at) { // Core does not unlock spent outputs
			kept := slices.ContainsFunc(reserved, func(r proposal.Reservation) bool { return r.Outpoint == at })
			say("%s is locked in Core, but not reserved by a proposal (a sync round will unlock it: %t)%s", s.nameOf(at), kept, s.spendersOf(f, at))
		}
	}
	for at := range holders {
		if parent := f.txs[at.Txid]; parent == nil || parent.Confirmations == 0 && !parent.inMempool {
			continue
		}
		if !f.locked[at] && !f.spent(at) {
			say("%s is reserved, but not locked in Core", s.nameOf(at))
		}
	}
	return wrong
}

// spendersOf describes the transactions that spend an output, as Core's wallet reports them.
func (s *testWallet) spendersOf(f *facts, at btc.Outpoint) (said string) {
	for _, txid := range f.spenders[at] {
		t := f.txs[txid]
		said += fmt.Sprintf("; spent by %s with %d confirmations, in the mempool: %t, abandoned: %t, conflicts: %v", s.names[txid], t.Confirmations, t.inMempool, t.abandoned(), t.MempoolConflicts)
	}
	return said
}

// compareUTXOs returns the differences in UTXOs and balances. Core does not list
// locked UTXOs.
func (s *testWallet) compareUTXOs(f *facts, b wallet.Balances, utxos []wallet.UTXO) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, c := range utxos {
		amount, ok := f.unspent[c.Outpoint]
		delete(f.unspent, c.Outpoint)
		switch {
		case c.Immature || f.locked[c.Outpoint]:
		case !ok:
			say("%s is spent, but listed", s.nameOf(c.Outpoint))
		case amount != c.Amount:
			say("%s has %s, but is listed with %s", s.nameOf(c.Outpoint), amount, c.Amount)
		}
	}
	for at := range f.unspent {
		say("%s is unspent, but not listed", s.nameOf(at))
	}
	mine := f.balances.Mine
	if b.Trusted != btc.Amount(mine.Trusted) || b.UntrustedPending != btc.Amount(mine.UntrustedPending) || b.Immature != btc.Amount(mine.Immature) {
		say("the balances are %s, %s and %s, Core's are %s, %s and %s", b.Trusted, b.UntrustedPending, b.Immature,
			btc.Amount(mine.Trusted), btc.Amount(mine.UntrustedPending), btc.Amount(mine.Immature))
	}
	return wrong
}

func indent(lines []string) string { return "\n\t" + strings.Join(lines, "\n\t") }
