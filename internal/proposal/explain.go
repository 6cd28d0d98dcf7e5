package proposal

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// discardRate is the fee rate at which Core judges whether change is worth spending
// later: the default of -discardfee, which an estimate can lower. The node does not
// report the setting.
const discardRate btc.FeeRate = 10_000

// errFeeUnexplained says that the node adds more to the fee than the requested fee
// rate, dropped change and unconfirmed ancestors can explain.
var errFeeUnexplained = errors.New("the fee is higher than the request explains; a -discardfee of the node above 0.0001 BTC/kvB would explain up to what change costs to spend at that rate")

// explainFee returns an error unless the fee of what Core made is the one that follows
// from the requested fee rate (CreateTransactionInternal in Core's
// src/wallet/spend.cpp):
//
//   - with change, or if recipients pay it, it is the fee rate times the size;
//   - without change, it is also what was too little to make change of;
//   - for unconfirmed ancestors with a lower fee rate it is also what they lack.
//
// Without a fee rate the node takes its -fallbackfee, which it does not report; only
// the maximum fee rate limits that.
func (s *Service) explainFee(ctx context.Context, p *Proposal, d draft, f Funding, k *keyring) error {
	if f.FeeRate == 0 {
		return nil
	}
	least, most := feeRange(f.FeeRate, p.VSize, len(p.Inputs))
	if p.Fee < least {
		return altered("the fee is %s, which is below the fee rate of %s sat/vB", p.Fee, f.FeeRate)
	}
	if len(f.SubtractFrom) == 0 && changePosition(p.Outputs) < 0 {
		dropped, err := d.droppable(p, f, k)
		if err != nil {
			return err
		}
		most += dropped
	}
	if p.Fee <= most {
		return nil
	}
	deficit, err := s.deficit(ctx, p, f.FeeRate)
	if err != nil {
		return err
	}
	if p.Fee > most+deficit {
		return altered("%w: it is %s, and at most %s at %s sat/vB", errFeeUnexplained, p.Fee, most+deficit, f.FeeRate)
	}
	return nil
}

// feeRange returns the lowest and the highest fee that a fee rate makes for an
// estimated size. Core's estimate may differ a little, since it rounds the size and the
// fee of each input up.
func feeRange(rate btc.FeeRate, vsize, inputs int) (least, most btc.Amount) {
	slack := sizeSlack(vsize, inputs)
	return rate.Fee(max(0, vsize-slack)), rate.Fee(vsize+slack) + btc.Amount(inputs)
}

// sizeSlack is by how many virtual bytes Core's estimate of a size may differ from
// ours.
func sizeSlack(vsize, inputs int) int { return vsize/sizeTolerance + inputs + 2 }

// droppable returns the most that Core leaves to the fee instead of making change of
// it (SelectionResult::GetChange and min_viable_change): what the output would cost,
// and what is dust or costs more to spend than it is worth.
func (d draft) droppable(p *Proposal, f Funding, k *keyring) (btc.Amount, error) {
	script, err := btc.ScriptOf(f.ChangeAddress, d.network)
	if err != nil {
		return 0, err
	}
	spent, err := k.inputs(p.Inputs[:1]) // all of a wallet's are of one size
	if err != nil {
		return 0, err
	}
	const amount, length = 8, 1
	output := amount + length + len(script)
	spending := psbt.InputVSize(spent[0])
	viable := max(discardRate.Fee(spending+sizeSlack(spending, 1)), btc.DustLimitAt(script, discardRate))
	return f.FeeRate.Fee(output) + viable, nil
}

// deficit returns the most that Core adds to the fee for unconfirmed transactions that
// a payment descends from, so that they are confirmed with it: what each of them lacks
// to the fee rate. An ancestor of several inputs counts for each, as it does in Core
// for UTXOs that are named. A transaction that the index has as confirmed lacks
// nothing, whatever the node says of it now.
func (s *Service) deficit(ctx context.Context, p *Proposal, rate btc.FeeRate) (btc.Amount, error) {
	pool, err := s.node.Ancestry(ctx, txidsOf(p.Inputs))
	if err != nil {
		return 0, err
	}
	var sum btc.Amount
	for _, in := range p.Inputs {
		if _, unconfirmed := pool[in.Txid]; !unconfirmed {
			continue
		}
		t, err := s.store.TransactionByID(ctx, p.WalletID, in.Txid)
		if err != nil && !errors.Is(err, wallet.ErrTransactionNotFound) {
			return 0, err
		}
		if t.Status != wallet.Confirmed {
			sum += deficitOf(pool, in.Txid, rate)
		}
	}
	return sum, nil
}

// deficitOf returns what a transaction and its ancestors lack to a fee rate, each by
// itself. Core mines those that pay enough before it counts, so it never finds more.
func deficitOf(pool map[string]MempoolTx, txid string, rate btc.FeeRate) (sum btc.Amount) {
	counted := map[string]bool{}
	for next := []string{txid}; len(next) > 0; {
		tx, unconfirmed := pool[next[0]]
		if next = next[1:]; !unconfirmed || counted[tx.Txid] {
			continue
		}
		counted[tx.Txid] = true
		sum += max(0, rate.Fee(int(tx.VSize))-tx.Fee)
		next = append(next, tx.Parents...)
	}
	return sum
}
