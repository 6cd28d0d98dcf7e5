package proposal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	// createTries is how often a proposal is tried to be made whose coins others
	// reserve meanwhile, who are not in this process.
	createTries = 5
	// lockTime is how long Core may take to lock the coins of a new proposal before
	// that is left to the follower.
	lockTime = 10 * time.Second
)

// draft is an order together with what it means for a wallet.
type draft struct {
	Order

	view    wallet.View
	network btc.Network
	height  int
	// inputs are to be spent in any case; others, too, where addInputs is set.
	inputs    []btc.Outpoint
	addInputs bool
	// replaced is what it replaces; nil for nothing.
	replaced *replaced
	// feeSource is where FeeRate is from, which is 0 for FeeFallback.
	feeSource FeeSource
	limit     feeLimit
}

// Create makes a proposal: Core chooses coins and writes the PSBT, which is
// compared with the order and with our own descriptor before it is stored and its
// coins are reserved. It is for proposers. A dry run does all but the storing and
// locking, and its proposal has no ID. Faults are those of the fields of the order,
// ErrInsufficientFunds, ErrCoinReserved, ErrCoinFrozen, ErrCoinLocked,
// ErrWrongState for what cannot be replaced any more, ErrFeeRateTooLow with the lowest
// fee rate that works, ErrFeeTooHigh, ErrEstimateTooHigh and ErrMinimumTooHigh for fees
// beyond the maximum, ErrEvicts, ErrTooManyEvictions, and ErrRejected for what the node
// will not accept once it is signed. After any of them nothing is left behind.
func (s *Service) Create(ctx context.Context, who *auth.Principal, alias string, o Order) (Proposal, error) {
	v, err := s.wallets.Open(ctx, who, alias, auth.RoleProposer)
	if err != nil {
		return Proposal{}, err
	}
	if err := s.node.Ready(); err != nil {
		return Proposal{}, err
	}
	network, height, _ := s.node.Chain()
	if o, err = o.validate(network, s.now()); err != nil {
		return Proposal{}, err
	}
	done, err := s.wallets.TakeCoins(ctx, v.ID)
	if err != nil {
		return Proposal{}, err
	}
	d, err := s.draft(ctx, who, draft{Order: o, view: v, network: network, height: height})
	if err != nil {
		done()
		return Proposal{}, err
	}
	p, err := s.make(ctx, who, d)
	if err != nil || o.DryRun {
		done()
		return p, err
	}
	// The answer does not wait for Core's lock, and the next proposal does.
	background, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTime)
	go func() {
		defer done()
		defer cancel()
		s.lockAll(background, v.Wallet, p)
	}()
	return p, nil
}

// draft finds out which fee rate is to be paid, and which coins are to be spent in
// any case.
func (s *Service) draft(ctx context.Context, who *auth.Principal, d draft) (draft, error) {
	d, err := s.withFeeRate(ctx, d)
	if err != nil {
		return d, err
	}
	if d.Replaces != "" {
		if d.replaced, err = s.replaced(ctx, who, d.view, d.Replaces); err != nil {
			return d, err
		}
		d.inputs = d.replaced.inputs
	}
	switch {
	case d.Coins != nil:
		named, err := s.namedCoins(ctx, d)
		if err != nil {
			return d, err
		}
		d.inputs = append(slices.Clone(d.inputs), named...)
	case d.SendMax && d.replaced == nil:
		d.inputs, err = s.availableCoins(ctx, d.view.Wallet)
	default:
		d.addInputs = !d.SendMax
	}
	return d, err
}

// withFeeRate returns a draft with the fee rate that it asks for, or else the node's
// estimate.
func (s *Service) withFeeRate(ctx context.Context, d draft) (draft, error) {
	d.limit = s.feeLimit(d.view.Wallet)
	if d.FeeRate > 0 {
		d.feeSource = FeeRequested
		return d, d.limit.checkRequested(d.FeeRate, s.node.RelayMinimum())
	}
	estimate, minimum, err := s.node.EstimateFee(ctx, d.TargetBlocks)
	if err != nil {
		return d, err
	}
	d.FeeRate, d.feeSource = estimate, EstimateSource(estimate, minimum)
	return d, d.limit.checkEstimate(estimate, minimum)
}

// namedCoins checks the coins that the order names, but for those that it takes
// over. Core would spend a coin that is named although it is locked.
func (s *Service) namedCoins(ctx context.Context, d draft) ([]btc.Outpoint, error) {
	var named []btc.Outpoint
	isLocked := s.lockedInCore(ctx, d.view.Wallet)
	for i, at := range d.Coins {
		if slices.Contains(d.inputs, at) {
			continue
		}
		c, err := s.store.Coin(ctx, d.view.ID, at)
		if errors.Is(err, wallet.ErrCoinNotFound) { // it may have come a moment ago
			s.await(ctx, d.view.ID, at.Txid)
			c, err = s.store.Coin(ctx, d.view.ID, at)
		}
		if errors.Is(err, wallet.ErrCoinNotFound) {
			return nil, fault.InvalidField(fmt.Sprintf("coins[%d]", i), "is no unspent output of this wallet")
		}
		if err == nil && c.Locked && !c.Frozen && !c.Reserved {
			c.Locked, err = isLocked(at)
		}
		if err != nil {
			return nil, err
		}
		var problem *fault.Error
		switch {
		case c.Frozen:
			problem = ErrCoinFrozen
		case c.Reserved:
			problem = ErrCoinReserved
		case c.Locked:
			problem = ErrCoinLocked
		case c.Immature:
			return nil, fault.InvalidField(fmt.Sprintf("coins[%d]", i), "is newly generated and cannot be spent before 100 blocks have followed")
		default:
			named = append(named, at)
			continue
		}
		return nil, problem.With("coins", at.String())
	}
	return named, nil
}

// lockedInCore returns what tells whether Core has a coin locked that the index has
// so: it may not know yet that one was unlocked. Core is asked once at most.
func (s *Service) lockedInCore(ctx context.Context, w wallet.Wallet) func(btc.Outpoint) (bool, error) {
	ask := sync.OnceValues(func() ([]btc.Outpoint, error) { return s.node.Locked(ctx, w.CoreName) })
	return func(at btc.Outpoint) (bool, error) {
		locked, err := ask()
		return slices.Contains(locked, at), err
	}
}

// coinsAtATime is how many coins are read from the index at once.
const coinsAtATime = 1000

// availableCoins returns all coins that can be spent now.
func (s *Service) availableCoins(ctx context.Context, w wallet.Wallet) ([]btc.Outpoint, error) {
	var available []btc.Outpoint
	isLocked := s.lockedInCore(ctx, w)
	var after btc.Outpoint
	for {
		coins, err := s.store.Coins(ctx, w.ID, after, coinsAtATime)
		if err != nil {
			return nil, err
		}
		for _, c := range coins {
			if !c.Trusted || c.Frozen || c.Reserved {
				continue
			}
			if c.Locked {
				if c.Locked, err = isLocked(c.Outpoint); err != nil {
					return nil, err
				}
			}
			if !c.Locked {
				available = append(available, c.Outpoint)
			}
		}
		if len(coins) < coinsAtATime {
			break
		}
		after = coins[len(coins)-1].Outpoint
	}
	if len(available) == 0 {
		return nil, ErrInsufficientFunds
	}
	return available, nil
}

// make has Core make what the draft wants and stores it. Where another process
// was faster, Core is told which coins it must not choose, and asked again.
func (s *Service) make(ctx context.Context, who *auth.Principal, d draft) (Proposal, error) {
	for try := 1; ; try++ {
		p, err := s.fund(ctx, d)
		if err != nil || d.DryRun {
			return p, err
		}
		if !d.Evict {
			if err := mustAllow(who, p.Evicts, nil); err != nil {
				return Proposal{}, err
			}
		}
		p.ID, p.Version, p.Creator = uuid.NewString(), 1, actorOf(who)
		p.Steps = []Step{{At: p.CreatedAt, Action: string(Created), By: p.Creator}}
		err = s.store.AddProposal(ctx, p, d.labels(), who.Event(p.CreatedAt, "proposal.create", p.ID, "wallet "+d.view.ID))
		mayRetry := errors.Is(err, ErrChangeTaken) ||
			d.addInputs && (errors.Is(err, ErrCoinReserved) || errors.Is(err, ErrCoinFrozen))
		if !mayRetry || try == createTries {
			return p, err
		}
		if err := s.lockTaken(ctx, d.view.Wallet, p); err != nil {
			return Proposal{}, err
		}
	}
}

// lockTaken has Core lock those coins of a refused proposal that others have, or
// that somebody froze: it had chosen them.
func (s *Service) lockTaken(ctx context.Context, w wallet.Wallet, p Proposal) error {
	var taken []btc.Outpoint
	for _, in := range p.Inputs {
		c, err := s.store.Coin(ctx, w.ID, in.Outpoint)
		if err != nil && !errors.Is(err, wallet.ErrCoinNotFound) {
			return err
		}
		if c.Reserved || c.Frozen {
			taken = append(taken, in.Outpoint)
		}
	}
	return s.lock(ctx, w, taken)
}

// lockAll has Core lock the coins of a new proposal. Where that fails, the
// follower does it later, and until then a proposal may choose one of them in vain.
func (s *Service) lockAll(ctx context.Context, w wallet.Wallet, p Proposal) {
	if err := s.lock(ctx, w, outpointsOf(p.Inputs)); err != nil {
		s.log.WarnContext(ctx, "the coins of a proposal could not be locked yet", "proposal_id", p.ID, "error", err)
		s.o.Kick(w.ID)
	}
}

// labels are those that the order has for addresses.
func (d draft) labels() []btc.Label {
	var labels []btc.Label
	for _, r := range d.Recipients {
		if r.Label != "" {
			labels = append(labels, btc.Label{Type: "addr", Ref: r.Address, Label: &r.Label})
		}
	}
	return labels
}

// Sent is what goes to the recipients.
func (p *Proposal) Sent() btc.Amount {
	var sum btc.Amount
	for _, out := range p.Outputs {
		if out.Kind != Change {
			sum += out.Amount
		}
	}
	return sum
}
