package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/specterd/specterd/internal/fault"
)

// Core has no RPC that deletes a wallet's files, so these need its folder.
var (
	// ErrWalletFolderUnknown says that nobody told where the node has its wallets.
	ErrWalletFolderUnknown = fault.New(fault.Conflict, "wallet_folder_unknown",
		"specterd does not know the folder of the Bitcoin node's wallets, and cannot delete files there; set SPECTER_NODE_WALLET_FOLDER (or --node-wallet-folder), or keep the files")
	// ErrWalletFilesUnreachable says that the wallet's files are not in the folder,
	// or that they may not be deleted there.
	ErrWalletFilesUnreachable = fault.New(fault.Conflict, "wallet_files_unreachable",
		"specterd may not delete this wallet's files in the folder of the Bitcoin node's wallets; let it write there, or keep the files")
)

// probe is a file that is made and removed again to see whether that is allowed.
const probe = ".specterd"

// WithWalletFolder says where the node has its wallets, on this machine (Core's
// -walletdir); empty for nowhere that is known. It is to be called before p is
// used, and returns p.
func (p *Provider) WithWalletFolder(folder string) *Provider {
	p.folder = folder
	return p
}

// CheckFiles implements wallet.Files. It returns ErrWalletFolderUnknown and
// ErrWalletFilesUnreachable.
func (p *Provider) CheckFiles(coreName string) error {
	if err := checkFolderName(coreName); err != nil {
		return unreachable(err)
	}
	root, err := p.openFolder()
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = root.Close() }()
	exists, err := hasFolder(root, coreName)
	if err == nil && !exists {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = tryWriting(root, filepath.Join(coreName, probe))
	}
	return unreachable(err)
}

// unreachable returns the fault that err is. It has no path in its message: where
// the folder is, callers need not know.
func unreachable(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrWalletFolderUnknown):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return ErrWalletFilesUnreachable.Saying("this wallet's files are not in the folder that specterd has for the Bitcoin node's wallets; " +
			"correct SPECTER_NODE_WALLET_FOLDER (or --node-wallet-folder), or keep the files").Because(err)
	default:
		return ErrWalletFilesUnreachable.Because(err)
	}
}

// RemoveFiles implements wallet.Files. The wallet's turn is kept until the files
// are gone, so that nobody here loads it in between.
func (p *Provider) RemoveFiles(ctx context.Context, coreName string) error {
	if err := checkFolderName(coreName); err != nil {
		return err
	}
	done, err := p.take(ctx, coreName)
	if err != nil {
		return err
	}
	defer done()
	if err := p.unload(ctx, coreName); err != nil {
		return err
	}
	root, err := p.openFolder()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if exists, err := hasFolder(root, coreName); !exists || err != nil {
		return err
	}
	return root.RemoveAll(coreName)
}

// checkFolderName refuses what is more than the name of a folder among the wallets.
func checkFolderName(name string) error {
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is not the name of a folder: %w", name, fs.ErrInvalid)
	}
	return nil
}

// openFolder opens the folder of the node's wallets, out of which no symbolic link
// leads then.
func (p *Provider) openFolder() (*os.Root, error) {
	if p.folder == "" {
		return nil, ErrWalletFolderUnknown
	}
	return os.OpenRoot(p.folder)
}

// hasFolder reports whether there is a folder of that name. Anything else of that
// name was not made by the node, and is an error.
func hasFolder(root *os.Root, name string) (bool, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s is no folder: %w", name, fs.ErrInvalid)
	}
	return true, nil
}

// tryWriting returns why nothing can be written and removed there, or nil: of a
// read-only mount, the permissions tell nothing.
func tryWriting(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close() // nothing was written
	if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // somebody else who tried it was faster
}
