package backend

import (
	"context"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// ListWallets returns the names of the wallets that are loaded.
func (n *Node) ListWallets(ctx context.Context) ([]string, error) {
	var names []string
	return names, n.read(ctx, &names, "listwallets")
}

// LoadWallet loads a wallet and makes the node load it at each start. It succeeds if the
// wallet is already loaded, and returns ErrWalletMissing if the node has no valid file of
// the wallet. It may take long, because the wallet processes all blocks that it missed;
// it has no timeout except ctx.
func (n *Node) LoadWallet(ctx context.Context, name string) error {
	err := call(ctx, n.rpc.WithTimeout(noLimit), nil, "loadwallet", name, true)
	switch {
	case refused(err, rpcclient.CodeAlreadyLoaded, ""):
		return nil
	case refused(err, rpcclient.CodeWalletNotFound, ""):
		return ErrWalletMissing.WithCause(err)
	default:
		return err
	}
}

// UnloadWallet unloads a wallet, and makes the node no longer load it at its start. It
// returns ErrWalletNotLoaded if it is not loaded, and ErrScanning during a rescan.
func (n *Node) UnloadWallet(ctx context.Context, name string) error {
	return n.write(ctx, nil, "unloadwallet", name, false)
}

// CreateWatchOnly creates a descriptor wallet without private keys and without
// descriptors, loads it, and makes the node load it at each start. The caller must
// validate the name: it is a path, and Core accepts ../ and absolute paths. It returns
// ErrWalletExists.
func (n *Node) CreateWatchOnly(ctx context.Context, name string) error {
	const disablePrivateKeys, blank, avoidReuse, descriptors, loadOnStartup = true, true, false, true, true
	err := n.write(ctx, nil, "createwallet",
		name, disablePrivateKeys, blank, nil /* passphrase */, avoidReuse, descriptors, loadOnStartup)
	if refused(err, rpcclient.CodeWalletError, "already exists") || refused(err, rpcclient.CodeAlreadyExists, "") {
		return ErrWalletExists.WithCause(err)
	}
	return err
}

// WalletFolder returns the names of the wallets that the node has files of, loaded
// or not (listwalletdir).
func (n *Node) WalletFolder(ctx context.Context) ([]string, error) {
	var wire struct {
		Wallets []struct {
			Name string `json:"name"`
		} `json:"wallets"`
	}
	if err := n.read(ctx, &wire, "listwalletdir"); err != nil {
		return nil, err
	}
	names := make([]string, len(wire.Wallets))
	for i, w := range wire.Wallets {
		names[i] = w.Name
	}
	return names, nil
}

// borrow loads a wallet temporarily, without changing whether the node loads it at
// its start. It returns the node's error if the wallet is already loaded. It may take
// as long as LoadWallet.
func (n *Node) borrow(ctx context.Context, name string) error {
	return call(ctx, n.rpc.WithTimeout(noLimit), nil, "loadwallet", name)
}

// giveBack unloads a wallet that borrow loaded, without changing whether the node loads
// it at its start.
func (n *Node) giveBack(ctx context.Context, name string) error {
	return n.write(ctx, nil, "unloadwallet", name)
}
