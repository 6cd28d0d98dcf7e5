package app

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/indexer"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodeevent"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/schedule"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
)

// Node has the clients for the Bitcoin node. There are separate clients for status
// checks, for requests and the indexer, and for rescans, which take hours, so that none
// of them waits for the others.
type Node struct {
	clients  []*rpcclient.Client
	ZMQHost  string // host of the ZMQ publishers
	Monitor  *nodestatus.Monitor
	Backend  *backend.Node
	Scanner  *backend.Node
	Provider *backend.Provider
}

// OpenNode creates the clients. It sends no request.
func (a *App) OpenNode() (*Node, error) {
	cfg, err := nodeConfig(a.Config.Node)
	if err != nil {
		return nil, err
	}
	folder, err := walletFolder(a.Config.Node)
	if err != nil {
		return nil, err
	}
	n := &Node{}
	client := func(inFlight int, timeout time.Duration) (*rpcclient.Client, error) {
		cfg := cfg
		cfg.MaxInFlight, cfg.Timeout = inFlight, timeout
		c, err := rpcclient.New(cfg)
		if err == nil {
			n.clients = append(n.clients, c)
		}
		return c, err
	}
	status, err1 := client(1, 10*time.Second)
	work, err2 := client(rpcclient.DefaultMaxInFlight, rpcclient.DefaultTimeout)
	scan, err3 := client(1, rpcclient.DefaultTimeout)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if u, err := url.Parse(cfg.URL); err == nil {
		n.ZMQHost = cmp.Or(a.Config.Node.ZMQHost, u.Hostname())
	}
	n.Monitor = nodestatus.New(a.Log, status, a.Now, nodestatus.Options{Identity: a.Store})
	n.Backend, n.Scanner = backend.New(work), backend.New(scan)
	n.Provider = backend.NewProvider(n.Backend, n.Monitor.Status).WithWalletFolder(folder)
	return n, nil
}

// Close closes the connections.
func (n *Node) Close() {
	for _, c := range n.clients {
		c.Close()
	}
}

func nodeConfig(n config.Node) (rpcclient.Config, error) {
	if n.URL == "" && n.CookieFile == "" {
		return rpcclient.FromDataDir(n.DataDir)
	}
	return rpcclient.Config{URL: string(n.URL), User: n.User, Password: string(n.Password), CookieFile: n.CookieFile}, nil
}

// walletFolder returns the node's wallet directory; empty if unknown.
func walletFolder(n config.Node) (string, error) {
	if n.WalletFolder == "" && n.URL == "" && n.CookieFile == "" {
		return rpcclient.WalletFolder(n.DataDir)
	}
	return n.WalletFolder, nil
}

// CheckOnce checks the node once. It returns an error if the node is on another chain,
// but not if the node is unreachable: it may become reachable later.
func (n *Node) CheckOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	status := n.Monitor.Check(ctx)
	if status.Problem != nil && errors.Is(status.Problem, nodestatus.ErrWrongChain) {
		return status.Problem
	}
	return nil
}

// proposalOptions returns the configured options of the proposal service.
func (a *App) proposalOptions(kick func(walletID string)) proposal.Options {
	return proposal.Options{Lifetime: a.Config.ProposalLifetime, MaxFeeRate: a.Config.MaxFeeRate, MaxData: cmp.Or(a.Config.MaxData, -1), Kick: kick}
}

// services returns the wallet service, the proposal service and the indexer that keeps
// their data in sync with the node.
func (a *App) services(n *Node) (*wallet.Service, *proposal.Service, *indexer.Indexer) {
	var index *indexer.Indexer
	kick := func(id string) { index.Kick(id) }
	service := wallet.New(a.Log, a.Store, a.Store, n.Provider, a.Now, kick).WithAdminsAddingMembers(a.Config.AdminsAddMembers)
	await := func(ctx context.Context, id, txid string) { index.Await(ctx, id, txid) }
	options := a.proposalOptions(kick)
	options.Await, options.Watch = await, a.Watch
	proposals := proposal.New(a.Log, a.Store, service, n.Provider, a.Now, options)
	index = indexer.New(indexer.Options{
		Log: a.Log, Now: a.Now, Watch: a.Watch, Store: a.Store, Wallets: service, Reserver: proposals, Provider: n.Provider,
		Node: n.Backend, Scanner: n.Scanner, Host: n.ZMQHost,
		Ready:   func() error { return n.Monitor.Status().Unusable() },
		Network: n.Provider.Network,
	})
	return service, proposals, index
}

// spending returns the service of spending policies. Wake makes the scheduler look for due work.
func (a *App) spending(n *Node, wallets *wallet.Service, proposals *proposal.Service, wake func()) *spending.Service {
	return spending.New(a.Store, wallets, proposals, n.Provider.Network, a.Now, a.Watch, wake)
}

// Spending returns the service of spending policies for a command.
func (a *App) Spending(n *Node, wallets *wallet.Service, proposals *proposal.Service) *spending.Service {
	return a.spending(n, wallets, proposals, func() {})
}

// Services returns the services for a command. The indexer of a running server finds their
// changes in the database and in the node.
func (a *App) Services(n *Node) (*wallet.Service, *proposal.Service) {
	wallets, proposals, _ := a.services(n)
	return wallets, proposals
}

// recordNodeEvents is a job that records events of the node until ctx ends.
func (a *App) recordNodeEvents(n *Node) schedule.Job {
	return schedule.Job{
		Name: "recording events of the node", Next: schedule.Every(0, a.Now()), Exclusive: true,
		Run: func(ctx context.Context) error {
			nodeevent.Run(ctx, nodeevent.Options{Log: a.Log, Store: a.Store, Chain: n.Backend, Status: n.Monitor.Status})
			return nil
		},
	}
}
