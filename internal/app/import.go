package app

import (
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/specter/importer"
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
	proposals := proposal.New(a.Log, a.Store, wallets, n.Provider, a.Now, proposal.Options{Lifetime: a.Config.ProposalLifetime, MaxFeeRate: a.Config.MaxFeeRate, Kick: leave})
	return importer.New(auth.NewImports(a.Store, a.Passwords, a.Now), wallets, proposals, a.Store, chain, who, a.Now)
}
