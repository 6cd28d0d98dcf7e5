package proposal

import (
	"context"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// Ancestors are the unconfirmed transactions from which the inputs of a payment descend. The
// payment cannot be confirmed before them.
type Ancestors struct {
	UTXOs        int // number of inputs that are outputs of unconfirmed transactions
	Transactions int // number of the unconfirmed transactions
	VSize        int64
	Fee          btc.Amount
}

// findAncestors returns the unconfirmed transactions that the node has for the inputs of a
// payment.
func (s *Service) findAncestors(ctx context.Context, w wallet.NodeWallet, inputs []Input) (Ancestors, error) {
	pool, err := s.node.Ancestry(ctx, w, txidsOf(inputs))
	if err != nil {
		return Ancestors{}, err
	}
	a := Ancestors{Transactions: len(pool)}
	for _, tx := range pool {
		a.VSize += tx.VSize
		a.Fee += tx.Fee
	}
	for _, in := range inputs {
		if _, unconfirmed := pool[in.Txid]; unconfirmed {
			a.UTXOs++
		}
	}
	return a, nil
}

// JointRate returns the fee rate of a new proposal together with its unconfirmed ancestors, by
// which miners select them. It is the fee rate of the proposal if there are none.
func (p *Proposal) JointRate() btc.FeeRate {
	return rateOf(p.Fee+p.Ancestors.Fee, int64(p.VSize)+p.Ancestors.VSize)
}

// PaysForAncestors reports whether the unconfirmed ancestors of a new proposal pay lower fees,
// so that its fee rate is higher than the JointRate.
func (p *Proposal) PaysForAncestors() bool { return p.JointRate() < p.PaidRate() }

// HasExcessOfAncestors reports whether ExcessFee is for unconfirmed ancestors only. The fee of a
// payment with change contains no remainder.
func (p *Proposal) HasExcessOfAncestors() bool {
	return p.ExcessFee > 0 && changePosition(p.Outputs) >= 0
}

// ancestorWarning returns the warning about the unconfirmed ancestors of a new proposal.
func (p *Proposal) ancestorWarning() Warning {
	const cause = "the payment spends %s and cannot be confirmed before %s that it depends on: "
	what := []any{text.Count(p.Ancestors.UTXOs, "unconfirmed UTXO"), text.Count(p.Ancestors.Transactions, "unconfirmed transaction")}
	if p.PaysForAncestors() {
		return warningOf(WarnUnconfirmed, cause+"their fee rates are lower, so it pays %s sat/vB alone, and %s sat/vB together with them", append(what, p.PaidRate(), p.JointRate())...)
	}
	return warningOf(WarnUnconfirmed, cause+"together with them, it pays %s sat/vB", append(what, p.JointRate())...)
}

// UnconfirmedInputs returns how many inputs of an open proposal are outputs of transactions that
// are not confirmed in the index now; 0 for a proposal that is not open.
func (s *Service) UnconfirmedInputs(ctx context.Context, access wallet.Access, id string) (int, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return 0, err
	}
	return s.store.UnconfirmedInputs(ctx, v.ID, id)
}
