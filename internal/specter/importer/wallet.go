package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/specter/datadir"
	"github.com/specterd/specterd/internal/text"
	"github.com/specterd/specterd/internal/wallet"
)

// Wallets is the part of wallet.Service that an Importer uses.
type Wallets interface {
	Create(ctx context.Context, who *auth.Principal, p wallet.Plan) (wallet.View, error)
	List(ctx context.Context, who *auth.Principal, after string, limit int) ([]wallet.View, error)
	Access(ctx context.Context, who *auth.Principal, alias string) (wallet.Access, error)
	Labels(ctx context.Context, access wallet.Access) (iter.Seq2[btc.Label, error], error)
	SetLabels(ctx context.Context, access wallet.Access, labels []btc.Label) error
}

// Chain is the state of the node's chain.
type Chain struct {
	Network btc.Network // empty if there is a Problem
	Height  int
	// Problem is the reason why the node is unusable, or empty. If it is set, no wallets
	// are imported.
	Problem string
}

// Book stores devices, and which objects were imported.
type Book interface {
	// ImportedAs returns the id under which an object was imported, or "" if it was never
	// imported. The object may have been deleted since. Remember records that id.
	ImportedAs(ctx context.Context, kind, origin string) (id string, err error)
	Remember(ctx context.Context, kind, origin, id string, at time.Time) error
	// AddDevice adds a device for a user, unless the user has one with this alias.
	AddDevice(ctx context.Context, userID string, d wallet.Device, keys []btc.Key, at time.Time) (added bool, err error)
}

// as returns the principal that acts on behalf of a user.
func (r *run) as(owner auth.User) *auth.Principal {
	who := *r.who
	who.UserID = owner.ID
	return &who
}

// devices imports the devices of a user with their keys for the node's chain.
func (r *run) devices(ctx context.Context, u datadir.User, owner auth.User) error {
	if r.chain.Network == "" {
		return nil
	}
	for _, d := range r.folder.Devices(u) {
		name := fmt.Sprintf("%s: %s", show(u.Name), show(d.Name))
		made := wallet.Device{Alias: btc.Alias(d.Alias), Name: wallet.FitName(d.Name), Type: wallet.FitName(d.Type)}
		if made.Alias == "" || made.Name == "" {
			r.add(KindDevice, name, NotImported, "its name has no letters or digits")
			continue
		}
		if made.Type == "" {
			made.Type = "other"
		}
		var keys []btc.Key
		for _, k := range d.Keys {
			if key, err := keyOf(k, r.chain.Network); err == nil {
				keys = append(keys, key)
			}
		}
		detail := text.Count(len(keys), "key")
		if left := len(d.Keys) - len(keys); left > 0 {
			detail += fmt.Sprintf(", %d of other chains or damaged were skipped", left)
		}
		added := true
		if !r.DryRun {
			var err error
			if added, err = r.book.AddDevice(ctx, owner.ID, made, keys, r.now()); err != nil {
				return fmt.Errorf("device %s: %w", show(d.Name), err)
			}
		}
		if added {
			r.add(KindDevice, name, Imported, detail)
		} else {
			r.add(KindDevice, name, AlreadyImported, "")
		}
	}
	return nil
}

func keyOf(k datadir.Key, network btc.Network) (btc.Key, error) {
	text := k.Original
	if text == "" {
		text = k.XPub
	}
	if k.Fingerprint != "" {
		text = "[" + k.Fingerprint + strings.TrimPrefix(k.Derivation, "m") + "]" + text
	}
	key, err := btc.ParseKey(text, network)
	if err == nil && k.Purpose != "" {
		key.Purpose = k.Purpose
	}
	return key, err
}

func walletName(u datadir.User, w datadir.Wallet) string {
	return fmt.Sprintf("%s: %s, %s", show(u.Name), show(w.Name), w.Chain)
}

func (r *run) allWallets(ctx context.Context, u datadir.User, owner auth.User) error {
	r.planned = nil
	for _, at := range r.folder.Wallets(u) {
		w, ok := r.folder.Wallet(at)
		if !ok {
			continue // reported as a problem
		}
		r.Progress("wallet " + walletName(u, w))
		v, result, detail, err := r.wallet(ctx, u, owner, w)
		if err != nil {
			why, ok := refusalOrNode(err)
			if !ok || ctx.Err() != nil {
				return fmt.Errorf("wallet %s: %w", show(w.Name), err)
			}
			result, detail = NotImported, why
		}
		r.add(KindWallet, walletName(u, w), result, detail)
		switch result {
		case Imported, AlreadyImported:
			if err := r.pendingPSBTs(ctx, u, owner, w, v); err != nil {
				return fmt.Errorf("wallet %s: %w", show(w.Name), err)
			}
		case NotImported:
			r.lostProposals(u, w)
		case Skipped:
		}
	}
	return nil
}

// refusalOrNode is like refusal, and also accepts errors of the node.
func refusalOrNode(err error) (string, bool) {
	switch fault.KindOf(err) {
	case fault.Unavailable, fault.BadGateway, fault.Refused:
		return err.Error(), true
	default:
		return refusal(err)
	}
}

// wallet imports a wallet and returns it. It remembers the wallet last, so that the next
// import continues an interrupted one.
func (r *run) wallet(ctx context.Context, u datadir.User, owner auth.User, w datadir.Wallet) (wallet.View, Result, string, error) {
	switch {
	case r.chain.Problem != "":
		return wallet.View{}, NotImported, r.chain.Problem + "; repeat the import when the node is usable", nil
	case w.Chain != r.chain.Network:
		return wallet.View{}, Skipped, fmt.Sprintf("is on the chain %s, but the node is on %s", w.Chain, r.chain.Network), nil
	}
	origin := r.walletOrigin(u, w)
	id, err := r.book.ImportedAs(ctx, KindWallet, origin)
	if err != nil {
		return wallet.View{}, "", "", err
	}
	who := r.as(owner)
	if id != "" {
		return r.knownWallet(ctx, who, id)
	}
	m, err := r.make(ctx, who, w)
	if err != nil {
		return wallet.View{}, "", "", err
	}
	var access wallet.Access
	if !r.DryRun || m.known { // otherwise the wallet does not exist
		if access, err = r.wallets.Access(ctx, who, m.Alias); err != nil {
			return wallet.View{}, "", "", err
		}
	}
	labels, err := r.labels(ctx, access, m, w)
	if err == nil {
		err = r.freeze(ctx, access, w)
	}
	if err != nil {
		return wallet.View{}, "", "", err
	}
	if !r.DryRun {
		if err := r.book.Remember(ctx, KindWallet, origin, m.ID, r.now()); err != nil {
			return wallet.View{}, "", "", err
		}
	}
	return m.View, Imported, fmt.Sprintf("%s; %s, %s", m.how, text.Count(labels, "label"), text.Count(len(w.Frozen), "frozen UTXO")), nil
}

func (r *run) walletOrigin(u datadir.User, w datadir.Wallet) string {
	return r.origin(u.ID) + "/" + plain(w.Alias)
}

func (r *run) knownWallet(ctx context.Context, who *auth.Principal, id string) (wallet.View, Result, string, error) {
	views, err := r.wallets.List(ctx, who, "", 0)
	if err != nil {
		return wallet.View{}, "", "", err
	}
	if i := slices.IndexFunc(views, func(v wallet.View) bool { return v.ID == id }); i >= 0 {
		return views[i], AlreadyImported, "", nil
	}
	return wallet.View{}, Skipped, auth.ErrImportDeleted.Message, nil
}

// planOf returns the plan for a wallet in specterd. Values that specterd does not accept
// are replaced with the closest valid ones.
func planOf(w datadir.Wallet, tip int) wallet.Plan {
	height := min(w.BlockHeight, tip)
	p := wallet.Plan{
		Name: wallet.FitName(w.Name), Descriptor: w.Receive, Change: w.Change,
		Birthday: wallet.Birthday{Height: &height}, RangeEnd: max(w.ReceiveEnd, w.ChangeEnd), Next: [2]uint32{w.ReceiveIndex, w.ChangeIndex},
		KeepAlias: true,
	}
	if btc.IsAlias(w.Alias) && text.NameProblem(w.Alias) == "" {
		p.Alias = w.Alias
	}
	for _, k := range w.Keys {
		if key, err := keyOf(k, w.Chain); err == nil { // otherwise the descriptor's key is used
			p.Given = append(p.Given, key)
		}
	}
	return p
}

// made is a wallet that was created, or would be created in a dry run.
type made struct {
	wallet.View

	how   string
	known bool // the wallet existed before and may have labels
}

// make creates a wallet that adopts Specter Desktop's wallet in Bitcoin Core if possible,
// or else a new one with a rescan from the block height in Specter Desktop's file.
func (r *run) make(ctx context.Context, who *auth.Principal, w datadir.Wallet) (made, error) {
	plan := planOf(w, r.chain.Height)
	plan.DryRun = r.DryRun
	why := "the name of its wallet in Bitcoin Core is unknown"
	if plan.Adopt = r.folder.Config.CoreName(w.WalletFile); plan.Adopt != "" {
		m, err := r.create(ctx, who, plan)
		if f, ok := errors.AsType[*fault.Error](err); ok && errors.Is(err, wallet.ErrNotAdoptable) {
			why = f.Message
		} else {
			m.how = cmp.Or(m.how, "adopted Bitcoin Core's wallet "+plan.Adopt+" with its history")
			return m, err
		}
	}
	plan.Adopt = ""
	m, err := r.create(ctx, who, plan)
	m.how = cmp.Or(m.how, fmt.Sprintf("created again in Bitcoin Core, with a rescan from block %d: %s", *plan.Birthday.Height, why))
	return m, err
}

// create creates a wallet. If the user already has a wallet with these descriptors and
// this alias, from an interrupted import or created by the user, it returns that wallet.
// A wallet with another alias is a different wallet.
func (r *run) create(ctx context.Context, who *auth.Principal, p wallet.Plan) (made, error) {
	if r.DryRun && p.Adopt != "" && r.adopted[p.Adopt] {
		return made{}, wallet.ErrHeld
	}
	v, err := r.wallets.Create(ctx, who, p)
	if err == nil && r.DryRun {
		if err = wallet.Clash(r.planned, v.Wallet, v.Alias); err == nil {
			r.planned = append(r.planned, v)
			r.adopted[p.Adopt] = true
		}
		return made{View: v}, err
	}
	if !errors.Is(err, wallet.ErrExists) && !errors.Is(err, wallet.ErrAliasTaken) {
		return made{View: v}, err
	}
	views, listErr := r.wallets.List(ctx, who, "", 0)
	if listErr != nil {
		return made{}, listErr
	}
	policy, parseErr := btc.FromDescriptors(p.Descriptor, p.Change, r.chain.Network)
	if parseErr != nil {
		return made{}, parseErr
	}
	i := slices.IndexFunc(views, func(v wallet.View) bool {
		return v.Receive == policy.Receive.String() && v.Alias == p.Alias
	})
	if i < 0 {
		return made{}, err
	}
	return made{views[i], "already existed with this alias", true}, nil
}

// labels sets the labels of a wallet, and returns their number. Existing labels are not
// changed.
func (r *run) labels(ctx context.Context, access wallet.Access, m made, w datadir.Wallet) (int, error) {
	here := map[string]bool{}
	if m.known {
		all, err := r.wallets.Labels(ctx, access)
		if err != nil {
			return 0, err
		}
		for l, err := range all {
			if err != nil {
				return 0, err
			}
			here[l.Ref] = here[l.Ref] || l.Label != nil
		}
	}
	n, lost, cleaned := 0, 0, 0
	batch := make([]btc.Label, 0, labelBatch)
	flush := func() error {
		n += len(batch)
		err := r.setLabels(ctx, access, batch)
		batch = batch[:0]
		return err
	}
	err := r.folder.Labels(w.WalletFile, func(l datadir.Label) error {
		address, ok := r.address(l.Address)
		if !ok {
			if lost++; lost <= maxLostLabels {
				r.add(KindLabel, show(m.Alias)+": "+show(l.Text), NotImported, "belongs to an invalid address or one of another chain: "+show(l.Address))
			}
			return nil
		}
		if here[address] {
			return nil
		}
		label := wallet.FitLabel(l.Text)
		if text.Problem(l.Text) != "" {
			cleaned++
		}
		batch = append(batch, btc.Label{Type: "addr", Ref: address, Label: &label})
		if len(batch) == labelBatch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return n, err
	}
	if cleaned > 0 {
		r.add(KindLabel, show(m.Alias), Skipped, fmt.Sprintf("control and invisible characters of %s; the visible text is imported", text.Count(cleaned, "label")))
	}
	if lost > maxLostLabels {
		r.add(KindLabel, show(m.Alias), NotImported, fmt.Sprintf("%d more belong to an invalid address or one of another chain", lost-maxLostLabels))
	}
	return n, nil
}

// setLabels sets labels or freezes UTXOs, except in a dry run.
func (r *run) setLabels(ctx context.Context, access wallet.Access, labels []btc.Label) error {
	if r.DryRun {
		return nil
	}
	return r.wallets.SetLabels(ctx, access, labels)
}

// freeze freezes the UTXOs that are frozen in Specter Desktop.
func (r *run) freeze(ctx context.Context, access wallet.Access, w datadir.Wallet) error {
	frozen := make([]btc.Label, len(w.Frozen))
	for i, at := range w.Frozen {
		frozen[i] = btc.Label{Type: "output", Ref: at.String(), Spendable: new(bool)}
	}
	for part := range slices.Chunk(frozen, labelBatch) {
		if err := r.setLabels(ctx, access, part); err != nil {
			return err
		}
	}
	return nil
}

// address returns the canonical form of an address, and reports whether it is valid on
// the node's chain.
func (r *run) address(text string) (string, bool) {
	address, err := btc.ParseAddress(text, r.chain.Network)
	return address, err == nil
}

const (
	// labelBatch is the number of labels that are set in one call.
	labelBatch = 1000
	// maxLostLabels is the number of labels of a wallet that are reported individually if
	// they cannot be imported.
	maxLostLabels = 10
)
