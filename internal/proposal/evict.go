package proposal

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/wallet"
)

// Eviction is a payment that can no longer be confirmed once a replacement is sent: a
// transaction that the replacement evicts from the mempool, or an open proposal that
// spends an output of the replaced transaction or of an evicted one.
type Eviction struct {
	Txid       string `json:"txid"`                  // of the unsigned transaction for an open proposal
	ProposalID string `json:"proposal_id,omitempty"` // empty if it does not belong to a proposal
	Status     Status `json:"status,omitempty"`      // of the proposal
	// UserID and UserName identify the creator of the proposal.
	UserID   string `json:"user_id,omitempty"`
	UserName string `json:"user_name,omitempty"`
	// Spends reports whether the payment spends UTXOs of the wallet. Payees are known
	// only in that case.
	Spends bool       `json:"spends"`
	Fee    btc.Amount `json:"fee_sat"`
	Payees []Payee    `json:"payees,omitempty"`
}

// Payee is an output to an address outside the wallet, or to a wallet address that is not
// change.
type Payee struct {
	Address string     `json:"address"`
	Amount  btc.Amount `json:"amount_sat"`
}

// evictions are the payments that a replacement would evict, and the minimum fees that
// the node therefore requires of it.
type evictions struct {
	list []Eviction
	// minFee is the total fee of the evicted transactions; the node requires that the
	// replacement pays a fee for its own size in addition. minRate is just above the
	// highest fee rate of the transactions that are replaced directly.
	minFee  btc.Amount
	minRate btc.FeeRate
}

// evictedBy returns the evictions of a transaction that spends these outpoints. The
// transaction whose txid is given by replaced is not listed, but its fee counts. If there
// are too many to list, it returns ErrTooManyEvictions.
func (s *Service) evictedBy(ctx context.Context, w wallet.Wallet, spent []btc.Outpoint, replaced string) (evictions, error) {
	var e evictions
	evicted, err := s.node.Evicted(ctx, w.NodeWallet(), spent)
	if err != nil {
		return e, err
	}
	gone := []string{replaced}
	for _, tx := range evicted {
		e.minFee += tx.Fee
		if tx.Direct && tx.VSize > 0 {
			e.minRate = max(e.minRate, btc.FeeRate(int64(tx.Fee)*1000/tx.VSize)+1)
		}
		gone = append(gone, tx.Txid)
		if tx.Txid == replaced {
			continue
		}
		one, err := s.evictionOf(ctx, w.ID, tx)
		if err != nil {
			return e, err
		}
		e.list = append(e.list, one)
	}
	open, err := s.store.Proposals(ctx, w.ID, Filter{Statuses: openStatuses, Parents: gone}, Cursor{}, maxEvictedProposals)
	if err != nil {
		return e, err
	}
	if len(open) == maxEvictedProposals {
		return e, ErrTooManyEvictions.WithMessage("the replacement would close %d open proposals or more; cancel some of them first", maxEvictedProposals)
	}
	for _, p := range open {
		if !spendsOneOf(p, spent) { // otherwise it is being replaced, or the request is refused
			e.list = append(e.list, evictedProposal(p))
		}
	}
	slices.SortFunc(e.list, func(a, b Eviction) int { return strings.Compare(a.Txid, b.Txid) })
	return e, nil
}

// maxEvictedProposals is the limit for the number of open proposals that a replacement
// would close. A replacement that reaches it is refused, because Evicts might not list all
// of them.
const maxEvictedProposals = 1000

func spendsOneOf(p Proposal, at []btc.Outpoint) bool {
	return slices.ContainsFunc(p.Inputs, func(in Input) bool { return slices.Contains(at, in.Outpoint) })
}

// evictionOf returns the eviction of a transaction in the mempool, with the data that the
// index has about it.
func (s *Service) evictionOf(ctx context.Context, walletID string, tx MempoolTx) (Eviction, error) {
	sent, err := s.store.Proposals(ctx, walletID, Filter{Txid: tx.Txid, Statuses: []Status{Broadcast}}, Cursor{}, 1)
	if err != nil {
		return Eviction{}, err
	}
	if len(sent) > 0 {
		e := evictedProposal(sent[0])
		e.Txid = tx.Txid
		return e, nil
	}
	e := Eviction{Txid: tx.Txid, Fee: tx.Fee}
	t, err := s.store.TransactionByID(ctx, walletID, tx.Txid)
	if errors.Is(err, wallet.ErrTransactionNotFound) {
		return e, nil
	}
	if err != nil || len(t.Inputs) == 0 {
		return e, err
	}
	e.Spends = true
	for _, out := range t.Outputs {
		if out.Own == nil || out.Own.Branch == wallet.ReceiveBranch {
			e.Payees = append(e.Payees, Payee{out.Address, out.Amount})
		}
	}
	return e, nil
}

// is reports whether e and other are the same payment. The txid of a proposal may change
// when it is signed.
func (e Eviction) is(other Eviction) bool {
	return e.Txid == other.Txid || e.ProposalID != "" && e.ProposalID == other.ProposalID
}

func evictedProposal(p Proposal) Eviction {
	e := Eviction{
		Txid: p.Txid, ProposalID: p.ID, Status: p.Status, UserID: p.Creator.UserID, UserName: p.Creator.UserName, Spends: true, Fee: p.Fee,
	}
	for _, out := range p.Outputs {
		if out.Kind != Change {
			e.Payees = append(e.Payees, Payee{out.Address, out.Amount})
		}
	}
	return e
}

// mustAllow returns ErrEvicts if the request must permit the eviction of any payments in
// list: payments that spend UTXOs of the wallet and are neither proposals of the caller
// nor in permitted. The detail evicts names them.
func mustAllow(who *auth.Principal, list, permitted []Eviction) error {
	var named []string
	for _, e := range list {
		own := e.ProposalID != "" && e.UserID == who.UserID
		if !e.Spends || own || slices.ContainsFunc(permitted, e.is) {
			continue
		}
		if e.ProposalID != "" {
			named = append(named, e.ProposalID)
		} else {
			named = append(named, e.Txid)
		}
	}
	if len(named) == 0 {
		return nil
	}
	return ErrEvicts.WithDetail("evicts", strings.Join(named, " "))
}

// least returns the minimum fee that the node accepts for a replacement of this size: the
// fees of the evicted transactions plus the incremental relay fee, step, for its own size
// (BIP-125, rules 3 and 4), and a higher fee rate than each transaction that it replaces
// directly. It returns 0 if nothing is replaced.
func (e evictions) least(vsize int, step btc.FeeRate) btc.Amount {
	if e.minFee == 0 && e.minRate == 0 {
		return 0
	}
	return max(e.minFee+step.Fee(vsize), e.minRate.Fee(vsize))
}
