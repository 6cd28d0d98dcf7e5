// Package datadir reads the data folder of Specter Desktop, as it is on
// the disk, into plain values: users with their password hashes and tokens,
// devices, wallets, labels. It knows no database and no network, and never
// writes.
//
// Nothing in the folder is believed. What is read is bounded, links that lead
// out of the folder are not followed, and whatever is damaged, missing, of a
// wrong type or too big becomes a Problem while the rest is read on. Text of the
// folder appears in a Problem only in a form that is safe to print.
package datadir

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/specterd/specterd/internal/btc"
)

// How much is read of a file of each kind. Pending PSBTs make wallets big.
const (
	maxConfigBytes = 4 << 20
	maxUsersBytes  = 64 << 20
	maxDeviceBytes = 4 << 20
	maxWalletBytes = 64 << 20
	maxLabelsBytes = 256 << 20
	maxEntries     = 100_000 // of one folder
)

// Folder is a data folder of Specter Desktop. It is not safe for concurrent use.
type Folder struct {
	root     *os.Root
	problems []Problem
	names    map[[3]string]string // of wallets: folder, chain and name to path
	// Config is what config.json says.
	Config Config
}

// Config is what config.json says that matters elsewhere.
type Config struct {
	// UID is in the names of the wallets in Bitcoin Core: "specter<uid>/<alias>".
	// It is empty in very old folders, and where UIDKnown is false.
	UID string
	// UIDKnown is false where config.json could not be read.
	UIDKnown bool
	// AuthMethod is none, rpcpasswordaspin, passwordonly or usernamepassword.
	AuthMethod string
}

// CoreName returns what the wallet of a file is called in Bitcoin Core. It is empty
// where that cannot be known: config.json could not be read, or its uid, or the
// name of the file, is none that Specter Desktop gives.
func (c Config) CoreName(at WalletFile) string {
	if !c.UIDKnown || c.UID != "" && !isUID(c.UID) || !btc.IsAlias(at.Alias) {
		return ""
	}
	return "specter" + c.UID + "/" + at.Alias
}

// Open opens the folder and reads its config.json. It fails only where there is
// no such folder, or none that may be read, or where it is none of Specter
// Desktop's.
func Open(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the data folder of Specter Desktop: %w", err)
	}
	f := &Folder{root: root, names: map[[3]string]string{}}
	if !f.looksRight() {
		return nil, errors.Join(fmt.Errorf("%s is not a data folder of Specter Desktop: it has neither config.json nor users.json nor wallets; that is ~/.specter, unless SPECTER_DATA_FOLDER said otherwise", path), root.Close())
	}
	f.readConfig()
	return f, nil
}

// Close closes the folder.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) looksRight() bool {
	return slices.ContainsFunc([]string{"config.json", "config.json.bkp", "users.json", "users.json.bkp", "wallets"}, func(name string) bool {
		_, err := f.root.Lstat(name)
		return err == nil
	})
}

func (f *Folder) readConfig() {
	found := f.read("config.json", maxConfigBytes, func(text []byte) ([]string, error) {
		o, err := parseObject(text)
		if err != nil {
			return nil, err
		}
		c := Config{UIDKnown: true}
		o.may("uid", &c.UID)
		if isString(o.fields["auth"]) { // before the object there was the method alone
			o.may("auth", &c.AuthMethod)
		} else {
			auth := o.child("auth")
			auth.may("method", &c.AuthMethod)
			o.warnings = append(o.warnings, auth.warnings...)
		}
		if c.UID != "" && !isUID(c.UID) {
			o.warn("uid", "is not 16 hexadecimal digits")
		}
		f.Config = c
		return o.warnings, nil
	})
	if !found {
		f.report("config.json", Warning, "is missing, so that wallets cannot be recognized in Bitcoin Core")
	}
}

func isUID(text string) bool {
	return len(text) == 16 && strings.Trim(text, "0123456789abcdef") == ""
}

var (
	errTooBig     = errors.New("is too big")
	errNotRegular = errors.New("is not a regular file")
)

// open opens a regular file for reading. It does not wait for the other end of a
// pipe, and os.Root refuses what leads out of the folder.
func (f *Folder) open(path string, limit int64) (*os.File, error) {
	file, err := f.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errNotRegular
	case info.Size() > limit:
		err = fmt.Errorf("%w: %d bytes, and at most %d are read", errTooBig, info.Size(), limit)
	default:
		return file, nil
	}
	return nil, errors.Join(err, file.Close())
}

func (f *Folder) readFile(path string, limit int64) ([]byte, error) {
	file, err := f.open(path, limit)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errTooBig
	}
	return text, errors.Join(err, file.Close())
}

// read has decode read a JSON file, or its backup where the file is missing or
// decode refuses it. What decode returns are warnings about its content. It
// reports whether either was there, whatever came of it.
func (f *Folder) read(path string, limit int64, decode func([]byte) ([]string, error)) (found bool) {
	try := func(path string) error {
		text, err := f.readFile(path, limit)
		if err != nil {
			return err
		}
		warnings, err := decode(text)
		if err == nil {
			for _, w := range warnings {
				f.report(path, Warning, "%s", w)
			}
		}
		return err
	}
	err := try(path)
	if err == nil {
		return true
	}
	backup := path + ".bkp"
	backupErr := try(backup)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case backupErr == nil && missing:
		f.report(path, Warning, "is missing; its backup was read: %s", show(backup))
	case backupErr == nil:
		f.report(path, Warning, "%s; its backup was read instead, which may be older: %s", reason(err), show(backup))
	case missing && errors.Is(backupErr, fs.ErrNotExist):
		return false
	case missing:
		f.report(backup, Error, "%s, and there is no other", reason(backupErr))
	case errors.Is(backupErr, fs.ErrNotExist):
		f.report(path, Error, "%s, and there is no backup beside it", reason(err))
	default:
		f.report(path, Error, "%s, and so is its backup: %s", reason(err), reason(backupErr))
	}
	return true
}

// entry is a file or a folder in a folder.
type entry struct {
	name     string
	isFolder bool
}

// list returns what is in a folder, without hidden files and without names that
// are no plain names, in the order of their names.
func (f *Folder) list(path string) []entry {
	folder, err := f.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var all []fs.DirEntry
	if err == nil {
		all, err = folder.ReadDir(maxEntries)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		err = errors.Join(err, folder.Close())
	}
	if err != nil {
		f.report(path, Error, "%s", reason(err))
		return nil
	}
	var entries []entry
	if len(all) == maxEntries {
		f.report(path, Error, "has more than %d entries; only so many were looked at", maxEntries)
	}
	for _, e := range all {
		full := join(path, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !isPlain(e.Name()) {
			f.report(full, Error, "has a name with characters that cannot be printed, or a very long one; left out")
			continue
		}
		info, err := f.root.Stat(full) // follows links, though not out of the folder
		if err != nil {
			f.report(full, Error, "%s", reason(err))
			continue
		}
		entries = append(entries, entry{e.Name(), info.IsDir()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return entries
}

// jsonFiles returns the names, without .json, of the files in a folder that are
// there as JSON or as the backup of one.
func jsonFiles(entries []entry) []string {
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(strings.TrimSuffix(e.name, ".bkp"), ".json")
		if ok && !e.isFolder && name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func join(path, name string) string {
	if path == "." {
		return name
	}
	return path + "/" + name
}
