package core

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/bitcoind"
	"github.com/specterd/specterd/internal/wallet"
)

// CheckAdoptable implements wallet.Adoption.
func (p *Provider) CheckAdoptable(ctx context.Context, coreName, receive, change string) error {
	done, err := p.take(ctx, coreName)
	if err != nil {
		return err
	}
	defer done()
	names, err := p.node.WalletFolder(ctx)
	if err != nil {
		return fmt.Errorf("list the node's wallets: %w", err)
	}
	if !slices.Contains(names, coreName) {
		return wallet.ErrNotAdoptable.Saying("Bitcoin Core has no wallet %s", coreName)
	}
	err = p.node.borrow(ctx, coreName)
	switch {
	case refused(err, bitcoind.CodeAlreadyLoaded, ""):
		return p.node.Wallet(coreName).adoptable(ctx, receive, change)
	case isRefusal(err):
		return wallet.ErrNotAdoptable.Saying("Bitcoin Core does not load its wallet %s; its log says why", coreName).Because(err)
	case err != nil:
		return err
	}
	err = p.node.Wallet(coreName).adoptable(ctx, receive, change)
	return errors.Join(err, p.node.giveBack(context.WithoutCancel(ctx), coreName))
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*bitcoind.RPCError](err)
	return ok
}

// adoptable is CheckAdoptable for a wallet that is loaded.
func (w *Wallet) adoptable(ctx context.Context, receive, change string) error {
	info, err := w.Info(ctx)
	if err != nil {
		return err
	}
	switch {
	case info.PrivateKeys:
		return wallet.ErrNotAdoptable.Saying("Bitcoin Core's wallet %s may have private keys", w.name)
	case !info.Descriptors:
		return wallet.ErrNotAdoptable.Saying("Bitcoin Core's wallet %s is of the old kind, without descriptors", w.name)
	}
	known, err := w.Descriptors(ctx)
	if err != nil {
		return err
	}
	if _, unknown := missing(known, receive, change, 0); unknown || len(known) != 2 {
		return wallet.ErrNotAdoptable.Saying("Bitcoin Core's wallet %s has other descriptors", w.name)
	}
	return nil
}
