package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/wallet"
)

// CheckAdoptable implements wallet.Adoption.
func (p *Provider) CheckAdoptable(ctx context.Context, w wallet.NodeWallet, receive, change string) error {
	done, err := p.take(ctx, w.Name)
	if err != nil {
		return err
	}
	defer done()
	names, err := p.node.WalletFolder(ctx)
	if err != nil {
		return fmt.Errorf("list the node's wallets: %w", err)
	}
	if !slices.Contains(names, w.Name) {
		return wallet.ErrNotAdoptable.WithMessage("Bitcoin Core has no wallet %s", w.Name)
	}
	err = p.node.whileLoaded(ctx, w.Name, func(core *Wallet) error { return core.adoptable(ctx, receive, change) })
	if isRefusal(err) {
		return wallet.ErrNotAdoptable.WithMessage("Bitcoin Core cannot load its wallet %s; see its log", w.Name).WithCause(err)
	}
	return err
}

// UnlockAll implements wallet.Node.
func (p *Provider) UnlockAll(ctx context.Context, w wallet.NodeWallet, utxos []btc.Outpoint) error {
	done, err := p.take(ctx, w.Name)
	if err != nil {
		return err
	}
	defer done()
	err = p.node.whileLoaded(ctx, w.Name, func(*Wallet) error { return p.SetLocked(ctx, w, utxos, false) })
	if errors.Is(err, ErrWalletMissing) { // a missing wallet has no locks
		return nil
	}
	return err
}

// whileLoaded loads a wallet if necessary, calls do, and unloads the wallet again if
// it was not loaded before. It returns ErrWalletMissing, other errors of loading or
// unloading, and the error of do.
func (n *Node) whileLoaded(ctx context.Context, coreName string, do func(*Wallet) error) error {
	err := n.borrow(ctx, coreName)
	switch {
	case refused(err, rpcclient.CodeAlreadyLoaded, ""):
		return do(n.Wallet(coreName))
	case refused(err, rpcclient.CodeWalletNotFound, ""):
		return ErrWalletMissing.WithCause(err)
	case err != nil:
		return err
	}
	return errors.Join(do(n.Wallet(coreName)), n.giveBack(context.WithoutCancel(ctx), coreName))
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*rpcclient.RPCError](err)
	return ok
}

// adoptable implements CheckAdoptable for a loaded wallet.
func (w *Wallet) adoptable(ctx context.Context, receive, change string) error {
	info, err := w.Info(ctx)
	if err != nil {
		return err
	}
	switch {
	case info.PrivateKeys:
		return wallet.ErrNotAdoptable.WithMessage("Bitcoin Core's wallet %s may have private keys", w.name)
	case !info.Descriptors:
		return wallet.ErrNotAdoptable.WithMessage("Bitcoin Core's wallet %s is a legacy wallet without descriptors", w.name)
	}
	known, err := w.Descriptors(ctx)
	if err != nil {
		return err
	}
	if _, unknown := missing(known, receive, change, 0); unknown || len(known) != 2 {
		return wallet.ErrNotAdoptable.WithMessage("Bitcoin Core's wallet %s has other descriptors", w.name)
	}
	return nil
}
