package main

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/indexer"
	"github.com/specterd/specterd/internal/node/backend"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// nodeAccess is the access to the node. It has one client for each kind of call that
// must not wait for the others: status checks, calls of users and of the indexer, and
// rescans, which take hours.
type nodeAccess struct {
	clients  []*rpcclient.Client
	host     string // of the ZMQ publishers
	monitor  *nodestatus.Monitor
	node     *backend.Node
	scanner  *backend.Node
	provider *backend.Provider
}

// openNode creates the clients. It sends no request.
func (a *app) openNode() (*nodeAccess, error) {
	cfg, err := nodeConfig(a.cfg.Node)
	if err != nil {
		return nil, err
	}
	folder, err := walletFolder(a.cfg.Node)
	if err != nil {
		return nil, err
	}
	n := &nodeAccess{}
	client := func(inFlight int, timeout time.Duration) (*rpcclient.Client, error) {
		cfg := cfg
		cfg.MaxInFlight, cfg.Timeout = inFlight, timeout
		c, err := rpcclient.New(cfg)
		if err == nil {
			n.clients = append(n.clients, c)
		}
		return c, err
	}
	look, err1 := client(1, 10*time.Second)
	work, err2 := client(rpcclient.DefaultMaxInFlight, rpcclient.DefaultTimeout)
	scan, err3 := client(1, rpcclient.DefaultTimeout)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if u, err := url.Parse(cfg.URL); err == nil {
		n.host = cmp.Or(a.cfg.Node.ZMQHost, u.Hostname())
	}
	n.monitor = nodestatus.New(a.log, look, a.now, nodestatus.Options{Identity: a.store})
	n.node, n.scanner = backend.New(work), backend.New(scan)
	n.provider = backend.NewProvider(n.node, n.monitor.Status).WithWalletFolder(folder)
	return n, nil
}

func (n *nodeAccess) close() {
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

// firstLook checks the node once. It returns an error if the node is on another chain,
// but not if the node is unreachable: it may become reachable later.
func (n *nodeAccess) firstLook(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, nodePatience)
	defer cancel()
	status := n.monitor.Check(ctx)
	if status.Problem != nil && errors.Is(status.Problem, nodestatus.ErrWrongChain) {
		return status.Problem
	}
	return nil
}

// wallets returns the wallet service, the proposal service and the indexer that keeps
// their data in sync with the node.
func (a *app) wallets(n *nodeAccess) (*wallet.Service, *proposal.Service, *indexer.Indexer) {
	var f *indexer.Indexer
	kick := func(id string) { f.Kick(id) }
	service := wallet.New(a.log, a.store, a.store, n.provider, a.now, kick).WithAdminsAddingMembers(a.cfg.AdminsAddMembers)
	await := func(ctx context.Context, id, txid string) { f.Await(ctx, id, txid) }
	proposals := proposal.New(a.log, a.store, service, n.provider, a.now, proposal.Options{Lifetime: a.cfg.ProposalLifetime, MaxFeeRate: a.cfg.MaxFeeRate, Kick: kick, Await: await, Watch: a.watch})
	f = indexer.New(indexer.Options{
		Log: a.log, Now: a.now, Watch: a.watch, Store: a.store, Keeper: service, Reserver: proposals, Provider: n.provider,
		Node: n.node, Scanner: n.scanner, Host: n.host, WhileLeading: a.onSchedule,
		Ready: func() error { return n.monitor.Status().Unusable() },
		Network: func() btc.Network {
			network, _, _ := n.provider.Chain()
			return network
		},
	})
	return service, proposals, f
}
