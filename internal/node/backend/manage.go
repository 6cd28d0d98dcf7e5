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

// LoadWallet loads a wallet, now and at each start of the node. One that is
// loaded already is fine. It returns ErrWalletMissing. It may take as long as ctx
// lets it: the wallet catches up with the chain, block by block.
func (n *Node) LoadWallet(ctx context.Context, name string) error {
	err := call(ctx, n.rpc.WithTimeout(noLimit), nil, "loadwallet", name, true)
	switch {
	case refused(err, rpcclient.CodeAlreadyLoaded, ""):
		return nil
	case refused(err, rpcclient.CodeWalletNotFound, ""):
		return ErrWalletMissing.Because(err)
	default:
		return err
	}
}

// UnloadWallet unloads a wallet, and the node will not load it again by itself.
// It returns ErrWalletNotLoaded and ErrScanning.
func (n *Node) UnloadWallet(ctx context.Context, name string) error {
	return n.write(ctx, nil, "unloadwallet", name, false)
}

// CreateWatchOnly makes a descriptor wallet without private keys and without
// descriptors, and loads it, now and at each start of the node. The name is a
// path: Core takes ../ and absolute ones. It returns ErrWalletExists.
func (n *Node) CreateWatchOnly(ctx context.Context, name string) error {
	const disablePrivateKeys, blank, avoidReuse, descriptors, loadOnStartup = true, true, false, true, true
	err := n.write(ctx, nil, "createwallet",
		name, disablePrivateKeys, blank, nil /* passphrase */, avoidReuse, descriptors, loadOnStartup)
	if refused(err, rpcclient.CodeWalletError, "already exists") || refused(err, rpcclient.CodeAlreadyExists, "") {
		return ErrWalletExists.Because(err)
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

// borrow loads a wallet for a while: whether the node loads it at its start stays
// as it was. The refusal of one that is loaded already is returned. It may take as
// long as ctx lets it; see LoadWallet.
func (n *Node) borrow(ctx context.Context, name string) error {
	return call(ctx, n.rpc.WithTimeout(noLimit), nil, "loadwallet", name)
}

// giveBack unloads a wallet that was borrowed.
func (n *Node) giveBack(ctx context.Context, name string) error {
	return n.write(ctx, nil, "unloadwallet", name)
}
