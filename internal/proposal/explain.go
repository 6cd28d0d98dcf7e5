package proposal

import (
	"context"
	"errors"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// discardRate is the fee rate at which Core decides whether change is worth spending
// later: the default of -discardfee. Core uses its fee estimate instead if that is lower.
// The node does not report the setting.
const discardRate btc.FeeRate = 10_000

// errFeeUnexplained is returned if the fee exceeds the sum that the requested fee rate,
// dropped change and unconfirmed ancestors can explain.
var errFeeUnexplained = errors.New("the fee is higher than the request explains; a -discardfee of the node above 0.0001 BTC/kvB would explain up to what change costs to spend at that rate")

// explainFee returns an error unless the fee of Core's transaction follows from the
// requested fee rate (CreateTransactionInternal in Core's src/wallet/spend.cpp):
//
//   - with change, or if recipients pay the fee, the fee is the fee rate times the size;
//   - without change, it also includes the amount that was too small for change;
//   - for unconfirmed ancestors with a lower fee rate, it also includes their deficit.
//
// If Funding has no fee rate, the node uses its -fallbackfee, which it does not report.
// In that case only the maximum fee rate limits the fee.
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
	deficit, err := s.deficit(ctx, d.view.NodeWallet(), p, f.FeeRate)
	if err != nil {
		return err
	}
	if p.Fee > most+deficit {
		return altered("%w: it is %s, and at most %s at %s sat/vB", errFeeUnexplained, p.Fee, most+deficit, f.FeeRate)
	}
	return nil
}

// feeRange returns the lowest and the highest fee that result from a fee rate for an
// estimated size. Core's estimate may differ slightly, because it rounds up the size and
// the fee of each input.
func feeRange(rate btc.FeeRate, vsize, inputs int) (least, most btc.Amount) {
	slack := sizeSlack(vsize, inputs)
	return rate.Fee(max(0, vsize-slack)), rate.Fee(vsize+slack) + btc.Amount(inputs)
}

// sizeSlack is the maximum difference between Core's estimate of a size and ours, in
// virtual bytes.
func sizeSlack(vsize, inputs int) int { return vsize/sizeTolerance + inputs + 2 }

// droppable returns the largest amount that Core adds to the fee instead of creating
// change (SelectionResult::GetChange and min_viable_change): the cost of the output, plus
// an amount that is dust or costs more to spend than it is worth.
func (d draft) droppable(p *Proposal, f Funding, k *keyring) (btc.Amount, error) {
	script, err := btc.ScriptOf(f.ChangeAddress, d.network)
	if err != nil {
		return 0, err
	}
	spent, err := k.inputs(p.Inputs[:1]) // all inputs of a wallet have the same size
	if err != nil {
		return 0, err
	}
	const amount, length = 8, 1
	output := amount + length + len(script)
	spending := psbt.InputVSize(spent[0])
	viable := max(discardRate.Fee(spending+sizeSlack(spending, 1)), btc.DustLimitAt(script, discardRate))
	return f.FeeRate.Fee(output) + viable, nil
}

// deficit returns the most that Core adds to the fee so that the unconfirmed ancestors of
// a payment are confirmed with it: the sum of the amounts by which the ancestors' fees
// fall short of the fee rate. An ancestor of several inputs counts once per input, as it
// does in Core for UTXOs that are named. A transaction that is confirmed in the index has
// no deficit, regardless of what the node reports now.
func (s *Service) deficit(ctx context.Context, w wallet.NodeWallet, p *Proposal, rate btc.FeeRate) (btc.Amount, error) {
	pool, err := s.node.Ancestry(ctx, w, txidsOf(p.Inputs))
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

// deficitOf returns the sum of the amounts by which the fee of a transaction, and the fee
// of each of its unconfirmed ancestors, falls short of a fee rate. Core excludes
// transactions that would be mined at their own fee rate, so its result is never higher.
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
