package proposal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/wallet"
)

const (
	// createTries is the maximum number of attempts to create a proposal if other processes
	// reserve the selected inputs or the change address at the same time.
	createTries = 5
	// lockTime is how long Core may take to lock the inputs of a new proposal; after
	// that, the indexer locks them.
	lockTime = 10 * time.Second
)

// draft is a requested payment, with the inputs, the fee rate and the limits that apply
// to it in a wallet.
type draft struct {
	CreateParams

	access  wallet.Access
	view    wallet.View
	network btc.Network
	height  int
	// inputs must be spent; if addInputs is set, Core may add others.
	inputs    []btc.Outpoint
	addInputs bool
	// replaced is the payment that the draft replaces, or nil.
	replaced *replaced
	// feeSource is the source of FeeRate, which is 0 for FeeFallback.
	feeSource FeeSource
	limit     feeLimit
}

// Create creates a proposal: Core selects UTXOs and creates the PSBT, which is checked
// against the request and our own descriptor; then the proposal is stored and its inputs
// are reserved. The caller must be a proposer. A dry run returns the same errors, except
// ErrEvicts; it stores nothing, and its proposal has no ID. Create returns faults about
// the fields of the request, ErrInsufficientFunds, ErrUTXOReserved, ErrUTXOFrozen,
// ErrUTXOLocked, ErrWrongState if the payment can no longer be replaced, ErrFeeRateTooLow
// with the lowest fee rate that works, ErrFeeTooHigh, ErrEstimateTooHigh and
// ErrMinimumTooHigh for fees above the maximum, ErrEvicts, ErrTooManyEvictions, and
// ErrRejected if the node will not accept the signed transaction. On any error, no
// proposal is stored and its inputs are not reserved.
func (s *Service) Create(ctx context.Context, access wallet.Access, o CreateParams) (Proposal, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleProposer)
	if err != nil {
		return Proposal{}, err
	}
	if err := s.node.Ready(v.NodeWallet()); err != nil {
		return Proposal{}, err
	}
	network := s.node.Network()
	if o, err = o.validate(network, s.o.MaxData, s.now()); err != nil {
		return Proposal{}, err
	}
	v, done, err := s.viewLocked(ctx, access, auth.RoleProposer)
	if err != nil {
		return Proposal{}, err
	}
	height, _ := s.node.Chain(v.NodeWallet())
	p, err := s.draftAndAdd(ctx, draft{CreateParams: o, access: access, view: v, network: network, height: height})
	if err != nil || o.DryRun {
		done()
		err = s.withReserving(ctx, access.Caller(), v.ID, err)
		return p.withheld(), s.withFunds(ctx, access.Caller(), v, o, err)
	}
	// The response does not wait for Core's locks, but the next proposal does.
	background, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTime)
	go func() {
		defer done()
		defer cancel()
		s.lockAll(background, v.Wallet, p)
	}()
	return p.withheld(), nil
}

func (s *Service) draftAndAdd(ctx context.Context, d draft) (Proposal, error) {
	d, err := s.draft(ctx, d)
	if err != nil {
		return Proposal{}, err
	}
	known, err := s.knownRecipients(ctx, d)
	if err != nil {
		return Proposal{}, err
	}
	p, err := s.fundAndAdd(ctx, d)
	if err == nil {
		p.noteRecipients(known, d.labels())
	}
	return p, err
}

// withReserving adds to ErrUTXOReserved the ids of the proposals that reserve the UTXOs,
// if the caller may read proposals. Other errors are returned unchanged.
func (s *Service) withReserving(ctx context.Context, who *auth.Principal, walletID string, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || !errors.Is(f, ErrUTXOReserved) || !who.Scopes.Has(auth.ProposalsRead) {
		return err
	}
	reserved, lookupErr := s.store.Reservations(ctx, walletID)
	if lookupErr != nil {
		return lookupErr
	}
	var ids []string
	utxos := strings.Fields(f.Details["utxos"])
	for _, r := range reserved {
		if r.ProposalID != "" && slices.Contains(utxos, r.String()) && !slices.Contains(ids, r.ProposalID) {
			ids = append(ids, r.ProposalID)
		}
	}
	if len(ids) == 0 { // released since
		return err
	}
	const text = "open proposals spend some of these UTXOs: %s; cancel or replace them first"
	return f.WithMessage(text, strings.Join(ids, ", ")).WithDetail("proposals", strings.Join(ids, " "))
}

// draft determines the fee rate and the inputs that must be spent.
func (s *Service) draft(ctx context.Context, d draft) (draft, error) {
	d, err := s.withFeeRate(ctx, d)
	if err != nil {
		return d, err
	}
	if d.Replaces != "" {
		if d.replaced, err = s.replaced(ctx, d.access.Caller(), d.view, d.Replaces); err != nil {
			return d, err
		}
		d.inputs = d.replaced.inputs
	}
	switch {
	case d.UTXOs != nil:
		named, err := s.namedUTXOs(ctx, d)
		if err != nil {
			return d, err
		}
		d.inputs = append(slices.Clone(d.inputs), named...)
	case d.SendMax && d.replaced == nil:
		d.inputs, err = s.availableUTXOs(ctx, d.view.Wallet)
	default:
		d.addInputs = !d.SendMax
	}
	return d, err
}

// withFeeRate returns a draft with the requested fee rate, or else the node's estimate.
func (s *Service) withFeeRate(ctx context.Context, d draft) (draft, error) {
	d.limit = s.feeLimit(d.view.Wallet)
	if d.FeeRate > 0 {
		d.feeSource = FeeRequested
		return d, d.limit.checkRequested(d.FeeRate, s.node.RelayMinimum(d.view.NodeWallet()))
	}
	estimate, minimum, err := s.node.EstimateFee(ctx, d.view.NodeWallet(), d.TargetBlocks)
	if err != nil {
		return d, err
	}
	d.FeeRate, d.feeSource = estimate, EstimateSource(estimate, minimum)
	return d, d.limit.checkEstimate(estimate, minimum)
}

// namedUTXOs returns the UTXOs that the request names, without the inputs of the payment
// that it replaces, or an error if one of them cannot be spent. The check is necessary
// because Core spends a named UTXO even if it is locked.
func (s *Service) namedUTXOs(ctx context.Context, d draft) ([]btc.Outpoint, error) {
	var named []btc.Outpoint
	isLocked := s.lockedInCore(ctx, d.view.Wallet)
	for i, at := range d.UTXOs {
		if slices.Contains(d.inputs, at) {
			continue
		}
		c, err := s.store.UTXO(ctx, d.view.ID, at)
		if errors.Is(err, wallet.ErrUTXONotFound) { // it may be too recent for the index
			s.await(ctx, d.view.ID, at.Txid)
			c, err = s.store.UTXO(ctx, d.view.ID, at)
		}
		if errors.Is(err, wallet.ErrUTXONotFound) {
			return nil, fault.InvalidField(fmt.Sprintf("utxos[%d]", i), "is not an unspent output of this wallet")
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
			problem = ErrUTXOFrozen
		case c.Reserved:
			problem = ErrUTXOReserved
		case c.Locked:
			problem = ErrUTXOLocked
		case c.Immature:
			return nil, fault.InvalidField(fmt.Sprintf("utxos[%d]", i), "is a coinbase output and can be spent only after 100 more blocks")
		default:
			named = append(named, at)
			continue
		}
		return nil, problem.WithDetail("utxos", at.String())
	}
	return named, nil
}

// lockedInCore returns a function that reports whether Core has a UTXO locked. Callers
// use it for UTXOs that are locked in the index, because the index may lag behind an
// unlock in Core. The function asks Core at most once.
func (s *Service) lockedInCore(ctx context.Context, w wallet.Wallet) func(btc.Outpoint) (bool, error) {
	ask := sync.OnceValues(func() ([]btc.Outpoint, error) { return s.node.Locked(ctx, w.NodeWallet()) })
	return func(at btc.Outpoint) (bool, error) {
		locked, err := ask()
		return slices.Contains(locked, at), err
	}
}

// utxosAtATime is how many UTXOs are read from the index at a time.
const utxosAtATime = 1000

// eachUTXO returns the UTXOs of a wallet in the index. It ends after an error.
func (s *Service) eachUTXO(ctx context.Context, walletID string) iter.Seq2[wallet.UTXO, error] {
	return func(yield func(wallet.UTXO, error) bool) {
		var after btc.Outpoint
		for {
			utxos, err := s.store.UTXOs(ctx, walletID, after, utxosAtATime)
			if err != nil {
				yield(wallet.UTXO{}, err)
				return
			}
			for _, c := range utxos {
				if !yield(c, nil) {
					return
				}
			}
			if len(utxos) < utxosAtATime {
				return
			}
			after = utxos[len(utxos)-1].Outpoint
		}
	}
}

// availableUTXOs returns all UTXOs that can be spent now, or ErrInsufficientFunds if
// there are none.
func (s *Service) availableUTXOs(ctx context.Context, w wallet.Wallet) ([]btc.Outpoint, error) {
	var available []btc.Outpoint
	isLocked := s.lockedInCore(ctx, w)
	for c, err := range s.eachUTXO(ctx, w.ID) {
		if err != nil {
			return nil, err
		}
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
	if len(available) == 0 {
		return nil, ErrInsufficientFunds
	}
	return available, nil
}

// fundAndAdd creates and stores the proposal of a draft. If an input or the change
// address has been taken in the meantime, for example by another process, it locks the
// taken inputs in Core and tries again, up to createTries times.
func (s *Service) fundAndAdd(ctx context.Context, d draft) (Proposal, error) {
	who := d.access.Caller()
	for try := 1; ; try++ {
		p, err := s.fund(ctx, d)
		if err != nil {
			return p, err
		}
		if d.replaced != nil && !d.Evict && !d.DryRun {
			if err := mustAllow(who, p.Evicts, d.replaced.permitted); err != nil {
				return Proposal{}, err
			}
		}
		p.ID, p.Version, p.Creator = uuid.NewString(), 1, actorOf(who)
		p.Steps = []Step{{At: p.CreatedAt, Action: string(Created), By: p.Creator}}
		m := s.moment()
		m.AtOnce = d.AtOnce
		if d.DryRun {
			p, err = s.store.TryProposal(ctx, p, m, d.labels())
		} else {
			p, err = s.store.AddProposal(ctx, p, m, d.labels(), who.Event(p.CreatedAt, "proposal.create", p.ID, "wallet "+d.view.ID))
		}
		mayRetry := errors.Is(err, ErrChangeTaken) ||
			d.addInputs && (errors.Is(err, ErrUTXOReserved) || errors.Is(err, ErrUTXOFrozen))
		if !mayRetry || try == createTries {
			if d.DryRun {
				p.ID, p.Version, p.Creator, p.Steps = "", 0, Actor{}, nil
			}
			return p, err
		}
		if err := s.lockTaken(ctx, d.view.Wallet, p); err != nil {
			return Proposal{}, err
		}
	}
}

// lockTaken locks the inputs of a refused proposal in Core's wallet, if they are reserved
// or frozen, so that Core does not select them again.
func (s *Service) lockTaken(ctx context.Context, w wallet.Wallet, p Proposal) error {
	var taken []btc.Outpoint
	for _, in := range p.Inputs {
		c, err := s.store.UTXO(ctx, w.ID, in.Outpoint)
		if err != nil && !errors.Is(err, wallet.ErrUTXONotFound) {
			return err
		}
		if c.Reserved || c.Frozen {
			taken = append(taken, in.Outpoint)
		}
	}
	return s.lockReserved(ctx, w, taken)
}

// lockAll locks the inputs of a new proposal in Core's wallet. If that fails, the indexer
// locks them later; until then Core may select one of them for another proposal, which is
// then refused.
func (s *Service) lockAll(ctx context.Context, w wallet.Wallet, p Proposal) {
	if err := s.lockReserved(ctx, w, outpointsOf(p.Inputs)); err != nil {
		s.log.WarnContext(ctx, "cannot lock the UTXOs of a proposal in Bitcoin Core yet", "proposal_id", p.ID, "error", err)
		s.o.Kick(w.ID)
	}
}

// addressLabel is the type of the labels of addresses (BIP-329).
const addressLabel = "addr"

// labels returns the labels that the request sets for addresses.
func (d draft) labels() []btc.Label {
	var labels []btc.Label
	seen := map[string]bool{}
	for _, r := range d.Recipients {
		if r.Label != "" && !seen[r.Address] {
			seen[r.Address] = true
			labels = append(labels, btc.Label{Type: addressLabel, Ref: r.Address, Label: &r.Label})
		}
	}
	return labels
}

// Sent returns the total amount of the recipients.
func (p *Proposal) Sent() btc.Amount {
	var sum btc.Amount
	for _, out := range p.Outputs {
		if out.Kind != Change {
			sum += out.Amount
		}
	}
	return sum
}
