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
	"github.com/specterd/specterd/internal/wallet"
)

// Errors returned if a wallet's files cannot be deleted. Core has no RPC for this, so
// specterd requires access to the node's wallet directory.
var (
	// ErrWalletFolderUnknown: the node's wallet directory is not configured.
	ErrWalletFolderUnknown = fault.New(fault.Conflict, "wallet_directory_unknown",
		"the Bitcoin node's wallet directory is unknown, so its files cannot be deleted; set SPECTER_NODE_WALLET_FOLDER (or --node-wallet-folder), or keep the files")
	// ErrWalletFilesUnreachable: the wallet's files are not in the directory, or
	// specterd lacks the permission to delete them.
	ErrWalletFilesUnreachable = fault.New(fault.Conflict, "wallet_files_unreachable",
		"no permission to delete this wallet's files in the Bitcoin node's wallet directory; make it writable for specterd, or keep the files")
)

// probe is the name of a file that is created and removed to check permissions.
const probe = ".specterd"

// WithWalletFolder sets the node's wallet directory on this machine (Core's
// -walletdir), or "" if it is unknown. It must be called before p is used, and
// returns p.
func (p *Provider) WithWalletFolder(folder string) *Provider {
	p.folder = folder
	return p
}

// CheckFiles implements wallet.Files. It returns ErrWalletFolderUnknown and
// ErrWalletFilesUnreachable.
func (p *Provider) CheckFiles(w wallet.NodeWallet) error {
	if err := checkFolderName(w.Name); err != nil {
		return unreachable(err)
	}
	root, err := p.openFolder()
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = root.Close() }()
	exists, err := hasFolder(root, w.Name)
	if err == nil && !exists {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = tryWriting(root, filepath.Join(w.Name, probe))
	}
	return unreachable(err)
}

// unreachable returns the fault for err. Its message contains no path, because
// callers need not know the location of the directory.
func unreachable(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrWalletFolderUnknown):
		return err
	case errors.Is(err, fs.ErrNotExist):
		return ErrWalletFilesUnreachable.WithMessage("this wallet's files are not in the configured wallet directory of the Bitcoin node; " +
			"correct SPECTER_NODE_WALLET_FOLDER (or --node-wallet-folder), or keep the files").WithCause(err)
	default:
		return ErrWalletFilesUnreachable.WithCause(err)
	}
}

// RemoveFiles implements wallet.Files. It holds the wallet's lock until the files
// are gone, so that no other goroutine loads the wallet meanwhile.
func (p *Provider) RemoveFiles(ctx context.Context, w wallet.NodeWallet) error {
	if err := checkFolderName(w.Name); err != nil {
		return err
	}
	done, err := p.take(ctx, w.Name)
	if err != nil {
		return err
	}
	defer done()
	if err := p.unload(ctx, w.Name); err != nil {
		return err
	}
	root, err := p.openFolder()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if exists, err := hasFolder(root, w.Name); !exists || err != nil {
		return err
	}
	return root.RemoveAll(w.Name)
}

// checkFolderName returns an error unless name is a single path element.
func checkFolderName(name string) error {
	if !filepath.IsLocal(name) || name == "." || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is not a directory name: %w", name, fs.ErrInvalid)
	}
	return nil
}

// openFolder opens the node's wallet directory as a root that symbolic links cannot
// leave. It returns ErrWalletFolderUnknown if the directory is not configured.
func (p *Provider) openFolder() (*os.Root, error) {
	if p.folder == "" {
		return nil, ErrWalletFolderUnknown
	}
	return os.OpenRoot(p.folder)
}

// hasFolder reports whether a directory of that name exists. It returns an error if the
// name belongs to a file of another kind, which the node did not create.
func hasFolder(root *os.Root, name string) (bool, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.IsDir():
		return false, fmt.Errorf("%s is not a directory: %w", name, fs.ErrInvalid)
	}
	return true, nil
}

// tryWriting creates and removes a file, and returns an error if that fails. It does
// not check permissions instead, because they do not reveal a read-only mount.
func tryWriting(root *os.Root, name string) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_ = f.Close() // nothing was written
	if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil // removed by a concurrent check
}
