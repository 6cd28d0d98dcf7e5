package proposal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/btcsuite/btcd/wire"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/wallet"
)

// Reasons why a payment that was proposed elsewhere does not become a proposal, in
// addition to the faults of Create and AddSignatures.
var (
	errImport = fault.New(fault.Invalid, "proposal_not_importable", "the payment cannot be imported")
	// ErrImportDead is returned for a payment whose UTXOs do not exist any more.
	ErrImportDead = fault.New(fault.Invalid, "proposal_dead", "the payment cannot be sent any more")
	// ErrImportSent is returned for a payment that was already sent and need not be
	// imported.
	ErrImportSent = fault.New(fault.Conflict, "proposal_sent", "it was sent: its transaction is unconfirmed")
)

// Foreign is a payment that was proposed in Specter Desktop and is pending there.
type Foreign struct {
	Txid string // of the transaction without signatures
	PSBT string // as text, with its signatures
	Raw  string // the signed transaction, in hexadecimal; empty until it is complete
	At   time.Time
	// Maker is the name of the user who created it.
	Maker string
}

// Imported is the result of importing a Foreign payment, or the expected result in a dry
// run.
type Imported struct {
	Proposal
	Known bool // whether specterd already has this proposal, in any status
	Err   error
}

// Outputs provides chain data about UTXOs that may not be in the index yet, because Core
// may still be rescanning the blockchain for the wallet.
type Outputs interface {
	// Origin returns the transaction that created an output. It returns
	// wallet.ErrUTXONotFound if the output is unknown or spent, in the chain or in the
	// mempool (RPC gettxout), and nil if the node has pruned the block.
	Origin(ctx context.Context, w wallet.NodeWallet, at btc.Outpoint) (raw []byte, err error)
	// Spender returns the transaction in the mempool that spends an output, or nil (RPC
	// gettxspendingprevout).
	Spender(ctx context.Context, w wallet.NodeWallet, at btc.Outpoint) (raw []byte, err error)
}

// Import creates proposals from payments that were proposed elsewhere, one by one. The
// caller must be a signer. Only the transaction and the signatures are taken from the
// import: the node confirms that the inputs are unspent, and their amounts; our own
// descriptor confirms that they and the change belong to the wallet. The result is a
// normal proposal, and its inputs are reserved. The error of a payment that cannot be
// imported is in its result.
func (s *Service) Import(ctx context.Context, access wallet.Access, payments []Foreign) ([]Imported, error) {
	v, done, err := s.viewLocked(ctx, access, auth.RoleSigner)
	if err != nil {
		return nil, err
	}
	defer done()
	i := importer{Service: s, who: access.Caller(), view: v}
	return i.all(ctx, payments)
}

// TryImport is a dry run of Import: it stores nothing. It takes the wallet itself, which
// need not exist yet, and therefore does not check the caller's role.
func (s *Service) TryImport(ctx context.Context, who *auth.Principal, v wallet.View, payments []Foreign) ([]Imported, error) {
	done, err := s.wallets.LockSelection(ctx, v.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	i := importer{Service: s, who: who, view: v, dryRun: true}
	return i.all(ctx, payments)
}

// importer imports payments of one wallet.
type importer struct {
	*Service

	who     *auth.Principal
	view    wallet.View
	network btc.Network
	keys    *keyring
	dryRun  bool
	taken   map[btc.Outpoint]bool   // reserved by earlier payments of the dry run
	planned map[string]wallet.Place // addresses of a wallet that does not exist yet
}

func (i *importer) all(ctx context.Context, payments []Foreign) ([]Imported, error) {
	if err := i.node.Ready(i.view.NodeWallet()); err != nil {
		return nil, err
	}
	i.network = i.node.Network()
	i.taken = map[btc.Outpoint]bool{}
	var err error
	if i.keys, err = newKeyring(i.view.Wallet); err != nil {
		return nil, err
	}
	all := make([]Imported, len(payments))
	for n, f := range payments {
		all[n] = i.one(ctx, f)
	}
	return all, nil
}

func (i *importer) one(ctx context.Context, f Foreign) Imported {
	known, err := i.store.Proposals(ctx, i.view.ID, Filter{Txid: f.Txid}, Cursor{}, 1)
	if err != nil {
		return Imported{Err: err}
	}
	if len(known) > 0 {
		return Imported{Proposal: known[0], Known: true}
	}
	p, err := i.read(ctx, f)
	if err == nil && i.dryRun {
		err = i.rehearse(ctx, p)
	}
	if err != nil || i.dryRun {
		return Imported{Proposal: p, Err: err}
	}
	p.ID = uuid.NewString()
	if p, err = i.store.AddProposal(ctx, p, i.moment(), nil, i.who.Event(i.now(), "proposal.import", p.ID, "wallet "+i.view.ID)); err != nil {
		return Imported{Err: err}
	}
	i.lockAll(ctx, i.view.Wallet, p)
	return Imported{Proposal: p}
}

// rehearse returns the error that storing a proposal would return.
func (i *importer) rehearse(ctx context.Context, p Proposal) error {
	reserved, err := i.store.Reservations(ctx, i.view.ID)
	if err != nil {
		return err
	}
	for _, in := range p.Inputs {
		mine := func(r Reservation) bool { return r.Outpoint == in.Outpoint && r.ProposalID != "" }
		if i.taken[in.Outpoint] || slices.ContainsFunc(reserved, mine) {
			return ErrUTXOReserved.WithDetail("utxos", in.String())
		}
	}
	for _, in := range p.Inputs {
		i.taken[in.Outpoint] = true
	}
	return i.refuseFrozen(ctx, p)
}

// read creates a proposal from a payment.
func (i *importer) read(ctx context.Context, f Foreign) (Proposal, error) {
	posted, err := psbt.Decode([]byte(f.PSBT))
	if err != nil {
		return Proposal{}, err
	}
	if posted.Txid() != f.Txid {
		return Proposal{}, errImport.WithMessage("its PSBT has a different transaction")
	}
	now := i.now()
	p := Proposal{
		WalletID: i.view.ID, Status: Created, Version: 1, Imported: true, CreatedAt: f.At.Truncate(time.Microsecond), ExpiresAt: now.Add(i.o.Lifetime),
		Creator: Actor{UserID: i.who.UserID, UserName: f.Maker},
	}
	if f.At.IsZero() || f.At.After(now) {
		p.CreatedAt = now
	}
	p.StatusAt = p.CreatedAt
	p.Steps = []Step{{At: p.CreatedAt, Action: string(Created), By: p.Creator, Detail: "in Specter Desktop; imported " + now.UTC().Format(time.RFC3339)}}
	tx := posted.Tx()
	previous, err := i.previous(ctx, tx, posted)
	if err != nil {
		return Proposal{}, err
	}
	if err := i.fill(ctx, &p, tx, previous); err != nil {
		return Proposal{}, err
	}
	packet, inputs, err := i.packet(p, tx, previous)
	if err != nil {
		return Proposal{}, err
	}
	if _, err := p.keep(packet, i.keys); err != nil {
		return Proposal{}, err
	}
	if limit := i.feeLimit(i.view.Wallet); p.Fee > limit.most(&p) {
		return Proposal{}, errImport.WithMessage("its fee of %d sat for %d vB exceeds %s; send it in Specter Desktop if that is intended", p.Fee, p.VSize, limit)
	}
	p.FeeRate = btc.FeeRate(int64(p.Fee) * 1000 / int64(p.VSize))
	return p, i.sign(&p, inputs, f)
}

// previous returns, for each input, the transaction whose output it spends. It returns an
// error if an output is spent or unknown. If the node has pruned a transaction, it is
// taken from the PSBT; this is safe because the txid is a hash of the transaction.
func (i *importer) previous(ctx context.Context, tx *wire.MsgTx, posted psbt.Posted) ([]*wire.MsgTx, error) {
	all := make([]*wire.MsgTx, len(tx.TxIn))
	seen := map[wire.OutPoint]bool{}
	for n, in := range tx.TxIn {
		at := btc.Outpoint{Txid: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index}
		if seen[in.PreviousOutPoint] {
			return nil, errImport.WithMessage("it spends the UTXO %s twice", at)
		}
		seen[in.PreviousOutPoint] = true
		raw, err := i.node.Origin(ctx, i.view.NodeWallet(), at)
		if errors.Is(err, wallet.ErrUTXONotFound) {
			return nil, i.gone(ctx, at, posted.Txid())
		}
		if err != nil {
			return nil, fmt.Errorf("look up the UTXO %s: %w", at, err)
		}
		if all[n] = posted.Previous(n); raw != nil {
			all[n] = new(wire.MsgTx)
			if err := all[n].Deserialize(bytes.NewReader(raw)); err != nil {
				return nil, altered("the transaction of the UTXO %s: %w", at, err)
			}
		}
		switch {
		case all[n] == nil:
			return nil, errImport.WithMessage("the Bitcoin node is pruned and no longer has the transaction of its UTXO %s, and its PSBT does not contain it", at)
		case all[n].TxHash() != in.PreviousOutPoint.Hash || uint64(at.Vout) >= uint64(len(all[n].TxOut)):
			return nil, altered("the transaction of the UTXO %s has a different txid or too few outputs", at)
		}
	}
	return all, nil
}

// gone returns the reason why an input of a payment is not available.
func (i *importer) gone(ctx context.Context, at btc.Outpoint, txid string) error {
	raw, err := i.node.Spender(ctx, i.view.NodeWallet(), at)
	switch {
	case err != nil:
		return fmt.Errorf("find the transaction that spends the UTXO %s: %w", at, err)
	case raw != nil && psbt.UnsignedTxid(raw) == txid:
		return ErrImportSent
	case raw != nil:
		return errImport.WithMessage("another unconfirmed transaction spends its UTXO %s", at)
	}
	return ErrImportDead.WithMessage("its UTXO %s is spent or unknown to the Bitcoin node, so it cannot be sent any more", at)
}

// fill fills in the inputs, which must belong to the wallet, and the outputs.
func (i *importer) fill(ctx context.Context, p *Proposal, tx *wire.MsgTx, previous []*wire.MsgTx) error {
	var addresses []string
	for n, in := range tx.TxIn {
		out := previous[n].TxOut[in.PreviousOutPoint.Index]
		addresses = append(addresses, btc.AddressOf(out.PkScript, i.network))
		p.Inputs = append(p.Inputs, Input{
			Outpoint: btc.Outpoint{Txid: in.PreviousOutPoint.Hash.String(), Vout: in.PreviousOutPoint.Index},
			Address:  addresses[n], Amount: btc.Amount(out.Value),
		})
		p.Replaceable = p.Replaceable || in.Sequence < wire.MaxTxInSequenceNum-1 // BIP-125
	}
	for _, out := range tx.TxOut {
		addresses = append(addresses, btc.AddressOf(out.PkScript, i.network))
	}
	own, err := i.places(ctx, addresses)
	if err != nil {
		return err
	}
	for n := range p.Inputs {
		in := &p.Inputs[n]
		place, ok := own[in.Address]
		if !ok || in.Address == "" {
			return errImport.WithMessage("its UTXO %s does not belong to this wallet", in.Outpoint)
		}
		in.Place = place
	}
	recipients := 0
	for n, out := range tx.TxOut {
		o := Output{Address: addresses[len(tx.TxIn)+n], Amount: btc.Amount(out.Value), Data: btc.DataOf(out.PkScript), Kind: External, Recipient: -1}
		if place, ok := own[o.Address]; ok && o.Address != "" {
			o.Kind, o.Own = Own, &place
		}
		if o.Own != nil && o.Own.Branch == wallet.ChangeBranch {
			o.Kind = Change
		} else {
			o.Recipient, o.Asked = recipients, o.Amount
			recipients++
		}
		p.Outputs = append(p.Outputs, o)
	}
	if p.Fee = feeOf(p.Inputs, p.Outputs); p.Fee < 0 {
		return errImport.WithMessage("its outputs exceed the value of its UTXOs")
	}
	return nil
}

// places returns which of the addresses belong to the wallet, with their positions.
func (i *importer) places(ctx context.Context, addresses []string) (map[string]wallet.Place, error) {
	if i.view.Stage == wallet.Ready {
		return i.store.OwnPlaces(ctx, i.view.ID, addresses)
	}
	if i.planned == nil {
		i.planned = map[string]wallet.Place{}
		for branch := range wallet.Branch(len(i.keys.branches)) {
			for index := range i.view.RangeEnd {
				at := wallet.Place{Branch: branch, Index: index}
				solution, err := i.keys.solve(at)
				if err != nil {
					return nil, err
				}
				i.planned[btc.AddressOf(solution.Script, i.network)] = at
			}
		}
	}
	return i.planned, ctx.Err()
}

// packet creates a new PSBT of the imported transaction, without any other content of the
// imported PSBT.
func (i *importer) packet(p Proposal, tx *wire.MsgTx, previous []*wire.MsgTx) (*psbt.Packet, []psbt.Input, error) {
	inputs, err := i.keys.inputs(p.Inputs)
	if err != nil {
		return nil, nil, err
	}
	outputs, err := i.keys.outputs(p.Outputs)
	if err != nil {
		return nil, nil, err
	}
	packet, err := psbt.New(tx, inputs, previous, outputs)
	return packet, inputs, err
}

// sign verifies the signatures in the imported PSBT and in the imported transaction, and
// adds them to the proposal.
func (i *importer) sign(p *Proposal, inputs []psbt.Input, f Foreign) error {
	maker := *i.who
	maker.UserName = f.Maker
	for _, text := range []string{f.PSBT, f.Raw} {
		if text == "" {
			continue
		}
		posted, err := psbt.Decode([]byte(text))
		if err != nil {
			return err
		}
		stored, err := psbt.Parse(p.PSBT)
		if err != nil {
			return fmt.Errorf("read a PSBT of our own: %w", err)
		}
		signatures, err := psbt.Collect(stored, inputs, posted)
		if errors.Is(err, psbt.ErrNoSignatures) {
			continue
		}
		if err != nil {
			return err
		}
		u := Update{Proposal: *p}
		if err := i.merge(&maker, i.view, &u, inputs, signatures); err != nil {
			return err
		}
		*p = u.Proposal
	}
	return nil
}
