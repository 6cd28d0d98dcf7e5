package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/importer"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/wallet"
)

// Importer returns an importer of Specter Desktop data. The status of the node must
// have been checked (CheckOnce). A running server is not notified: its indexer finds
// the imported wallets in the database.
func (a *App) Importer(n *Node, who *auth.Principal) *importer.Importer {
	chain := importer.Chain{}
	if problem := n.Monitor.Ready(); problem != nil {
		chain.Problem = problem.Message
	} else {
		chain.Network = n.Provider.Network()
		chain.Height, _ = n.Provider.Chain(wallet.NodeWallet{}) // no wallet exists yet
	}
	leave := func(string) {} // the server's indexer is in another process
	wallets := wallet.New(a.Log, a.Store, a.Store, n.Provider, a.Now, leave)
	proposals := proposal.New(a.Log, a.Store, wallets, n.Provider, a.Now, a.proposalOptions(leave))
	return importer.New(auth.NewImports(a.Store, a.Passwords, a.Now), wallets, proposals, a.Store, chain, who, a.Now)
}

// UseTemporary makes a dry run use a database in a temporary directory if the configured
// one does not exist, so that the dry run creates nothing that stays. The caller calls
// remove after Close.
func (a *App) UseTemporary(ctx context.Context) (remove func() error, err error) {
	missing, err := a.isMissing(ctx)
	if err != nil || !missing {
		return func() error { return nil }, err
	}
	folder, err := os.MkdirTemp("", "specterd-dry-run-*")
	if err != nil {
		return nil, fmt.Errorf("create a temporary directory: %w", err)
	}
	a.Config.DataFolder, a.Config.DatabaseURL = folder, config.Secret(filepath.Join(folder, "specterd.db"))
	a.Config.SecretKey, a.Config.SecretKeyFile, a.Temporary = "", "", true
	return func() error { return os.RemoveAll(folder) }, nil
}

// isMissing reports whether the configured database does not exist or has no schema.
func (a *App) isMissing(ctx context.Context) (missing bool, err error) {
	if err := a.CheckExists(); err != nil {
		return errors.Is(err, ErrNoDatabase), a.refuseIfUsed()
	}
	s, err := store.Open(ctx, a.StoreOptions())
	if err != nil {
		return false, a.Explain(ctx, err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	state, err := s.Schema(ctx)
	return state.Fresh(), err
}
