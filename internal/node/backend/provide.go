package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/keymutex"
	"github.com/specterd/specterd/internal/node/nodestatus"
	"github.com/specterd/specterd/internal/node/rpcclient"
	"github.com/specterd/specterd/internal/wallet"
)

// unloadPatience is the delay before retrying to unload a wallet whose rescan was
// aborted.
const unloadPatience = 50 * time.Millisecond

// Provider adapts a node to the packages wallet and proposal: it implements
// wallet.Node and proposal.Node. It rejects all calls while the node is unreachable
// or on another chain than the database. It is safe for concurrent use.
type Provider struct {
	node    *Node
	status  func() nodestatus.Status
	folder  string         // the node's wallet directory; empty if unknown
	wallets keymutex.Mutex // by wallet name; prevents concurrent imports into a wallet
	answers atomic.Uint64  // number of responses to watched calls
}

// NewProvider returns a Provider. The function status must return the last known
// status of the node.
func NewProvider(n *Node, status func() nodestatus.Status) *Provider {
	return &Provider{node: n, status: status}
}

// Ready implements wallet.Node.
func (p *Provider) Ready(wallet.NodeWallet) error { return p.ready() }

func (p *Provider) ready() error {
	if f := p.status().Ready(); f != nil {
		return f
	}
	return nil
}

// take locks the mutex of one of Core's wallets. The caller must call done to unlock
// it. It returns an error if the node is unusable.
func (p *Provider) take(ctx context.Context, coreName string) (done func(), err error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	return p.wallets.Lock(ctx, coreName)
}

// usable returns the reason why the node must not be called now, or nil. Unlike
// Ready, it ignores the initial block download. It pings the node, so that a node
// that has just stopped responding is detected here and not in the following call.
func (p *Provider) usable(ctx context.Context) error {
	if err := p.lastKnown(); err != nil {
		return err
	}
	return p.node.ping(ctx)
}

// lastKnown is like usable, but relies on the last known status, which may be a few
// seconds old.
func (p *Provider) lastKnown() error {
	if p.status().Problem != nil {
		return p.ready()
	}
	return nil
}

// Network implements wallet.Node.
func (p *Provider) Network() btc.Network {
	network, _ := p.chain()
	return network
}

// Chain implements wallet.Node.
func (p *Provider) Chain(wallet.NodeWallet) (height, pruneHeight int) {
	network, s := p.chain()
	if network == "" {
		return 0, 0
	}
	if s.Pruned {
		pruneHeight = int(s.PruneHeight)
	}
	return int(s.Blocks), pruneHeight
}

// chain returns the network and the last known status, or an empty network if the status
// does not describe the chain of the database.
func (p *Provider) chain() (btc.Network, nodestatus.Status) {
	s := p.status()
	if s.Problem != nil && errors.Is(s.Problem, nodestatus.ErrWrongChain) {
		return "", s
	}
	network, err := btc.ParseNetwork(s.Chain)
	if err != nil { // no contact yet
		return "", s
	}
	return network, s
}

// CanonicalDescriptor implements wallet.Node.
func (p *Provider) CanonicalDescriptor(ctx context.Context, _ wallet.NodeWallet, descriptor string) (string, error) {
	if err := p.usable(ctx); err != nil {
		return "", err
	}
	info, err := p.node.DescriptorInfo(ctx, descriptor)
	return info.Canonical, err
}

// DeriveAddresses implements wallet.Node.
func (p *Provider) DeriveAddresses(ctx context.Context, _ wallet.NodeWallet, descriptor string, first, end uint32) ([]string, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	return p.node.DeriveAddresses(ctx, descriptor, int(first), int(end)-1)
}

// HeightAt implements wallet.Node.
func (p *Provider) HeightAt(ctx context.Context, _ wallet.NodeWallet, t time.Time) (int, error) {
	if err := p.usable(ctx); err != nil {
		return 0, err
	}
	height, err := p.node.HeightAt(ctx, t)
	return int(height), err
}

// Provide implements wallet.Node. It leaves existing descriptors of the wallet unchanged.
// The result is also true for an existing wallet that lacked one of the descriptors, for
// example because its creation was interrupted. It returns ErrScanning if descriptors
// must be imported while the node rescans this wallet.
func (p *Provider) Provide(ctx context.Context, w wallet.NodeWallet, receive, change string, rangeEnd uint32) (created bool, err error) {
	done, err := p.take(ctx, w.Name)
	if err != nil {
		return false, err
	}
	defer done()
	core := p.node.Wallet(w.Name)
	known, err := core.Descriptors(ctx)
	if errors.Is(err, ErrWalletNotLoaded) {
		if err := p.load(ctx, w.Name); err != nil {
			return false, err
		}
		known, err = core.Descriptors(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("list the wallet's descriptors: %w", err)
	}
	imports, created := missing(known, receive, change, int(rangeEnd)-1)
	if len(imports) == 0 {
		return false, nil
	}
	if _, err := core.ImportDescriptors(ctx, imports); err != nil {
		return false, fmt.Errorf("import descriptors: %w", err)
	}
	return created, nil
}

// load loads or creates a wallet. A concurrent call may result in an Unavailable
// fault, or in a wallet that is not loaded yet.
func (p *Provider) load(ctx context.Context, name string) error {
	err := p.node.LoadWallet(ctx, name)
	switch {
	case refused(err, rpcclient.CodeWalletError, "already loading"):
		return ErrWalletNotLoaded.WithCause(err)
	case !errors.Is(err, ErrWalletMissing):
		return err
	}
	if err = p.node.CreateWatchOnly(ctx, name); errors.Is(err, ErrWalletExists) {
		return nil
	}
	return err
}

// missing returns the imports that are required for the wallet to watch both
// descriptors up to the index last, and whether it lacked one of them.
func missing(known []Descriptor, receive, change string, last int) (imports []Import, unknown bool) {
	for _, text := range []string{receive, change} {
		i := slices.IndexFunc(known, func(d Descriptor) bool { return normalDescriptor(d.Text) == normalDescriptor(text) })
		one := Import{Text: text, Active: true, Internal: text == change, RangeEnd: last}
		switch {
		case i < 0:
			unknown = true
		case known[i].RangeEnd >= last:
			continue
		default:
			one.NextIndex = known[i].Next // otherwise Core would reset the next index to 0
		}
		imports = append(imports, one)
	}
	return imports, unknown
}

// normalDescriptor returns a descriptor without its checksum and with h for hardened steps,
// since versions of Core differ in that notation.
func normalDescriptor(descriptor string) string {
	body, _, _ := strings.Cut(descriptor, "#")
	return strings.ReplaceAll(body, "'", "h")
}

// Unload implements wallet.Node. It aborts a rescan first. It succeeds if the
// wallet is not loaded.
func (p *Provider) Unload(ctx context.Context, w wallet.NodeWallet) error {
	done, err := p.take(ctx, w.Name)
	if err != nil {
		return err
	}
	defer done()
	return p.unload(ctx, w.Name)
}

// unload is Unload for callers that hold the wallet's lock.
func (p *Provider) unload(ctx context.Context, coreName string) error {
	for {
		err := p.node.UnloadWallet(ctx, coreName)
		switch {
		case errors.Is(err, ErrWalletNotLoaded):
			return nil
		case !errors.Is(err, ErrScanning):
			return err
		}
		if err := p.abortRescan(ctx, coreName); err != nil {
			return err
		}
		select {
		case <-time.After(unloadPatience): // until the rescan has ended
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// SetLocked implements wallet.Node. It returns ErrUTXOUnavailable if some outputs
// cannot be locked; the others are locked anyway.
func (p *Provider) SetLocked(ctx context.Context, w wallet.NodeWallet, utxos []btc.Outpoint, locked bool) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	core := p.node.Wallet(w.Name)
	set := func(utxos []btc.Outpoint) error {
		const persistent = true
		if locked {
			return core.Lock(ctx, utxos, persistent)
		}
		return core.Unlock(ctx, utxos)
	}
	return setInHalves(utxos, set)
}

// setInHalves applies set to as many of the UTXOs as possible. If Core rejects a call,
// which may be because of a single UTXO, setInHalves tries each half, so that a few
// failures among many UTXOs require few calls. It ignores ErrUTXONotLocked.
func setInHalves(utxos []btc.Outpoint, set func([]btc.Outpoint) error) error {
	err := set(utxos)
	if len(utxos) == 1 || !errors.Is(err, ErrUTXOUnavailable) && !errors.Is(err, ErrUTXONotLocked) {
		return unlessUnlocked(err)
	}
	var unavailable error
	for half := range slices.Chunk(utxos, (len(utxos)+1)/2) {
		switch err := setInHalves(half, set); {
		case errors.Is(err, ErrUTXOUnavailable):
			unavailable = err
		case err != nil:
			return err
		}
	}
	return unavailable
}

func unlessUnlocked(err error) error {
	if errors.Is(err, ErrUTXONotLocked) {
		return nil
	}
	return err
}

// AbortRescan implements wallet.Node. It does nothing if the wallet is not rescanning or
// not loaded.
func (p *Provider) AbortRescan(ctx context.Context, w wallet.NodeWallet) error {
	return p.abortRescan(ctx, w.Name)
}

func (p *Provider) abortRescan(ctx context.Context, coreName string) error {
	if err := p.usable(ctx); err != nil {
		return err
	}
	_, err := p.node.Wallet(coreName).AbortRescan(ctx)
	if errors.Is(err, ErrWalletNotLoaded) {
		return nil
	}
	return err
}
