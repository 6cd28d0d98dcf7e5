// Package datadir reads the data directory of Specter Desktop into plain values: users
// with their password hashes and tokens, devices, wallets and labels. It uses neither
// database nor network, and never writes.
//
// The directory is untrusted. Reads are bounded, and links that lead out of the directory
// are not followed. If something is damaged, missing, oversized or of the wrong type, it
// is reported as a Problem and reading continues. Problems contain text from the
// directory only in a printable form.
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

// Size limits of the files. Wallet files can be large because of pending PSBTs.
const (
	maxConfigBytes = 4 << 20
	maxUsersBytes  = 64 << 20
	maxDeviceBytes = 4 << 20
	maxWalletBytes = 64 << 20
	maxLabelsBytes = 256 << 20
	maxEntries     = 100_000 // of one directory
)

// Folder is a data directory of Specter Desktop. It is not safe for concurrent use.
type Folder struct {
	root     *os.Root
	problems []Problem
	names    map[[3]string]string // paths of wallets by directory, chain and name
	// Config is read from config.json.
	Config Config
}

// Config has the fields of config.json that other packages use.
type Config struct {
	// UID is part of the names of the wallets in Bitcoin Core: "specter<uid>/<alias>".
	// It is empty in very old directories, and if UIDKnown is false.
	UID string
	// UIDKnown is false if config.json could not be read.
	UIDKnown bool
	// AuthMethod is none, rpcpasswordaspin, passwordonly or usernamepassword.
	AuthMethod string

	nodeAlias string
	rpc       *object // of old versions
}

// CoreName returns the name in Bitcoin Core of the wallet in a file. It is empty if the
// name is unknown: config.json could not be read, or its uid or the file's name does not
// have the format of Specter Desktop.
func (c Config) CoreName(at WalletFile) string {
	if !c.UIDKnown || c.UID != "" && !isUID(c.UID) || !btc.IsAlias(at.Alias) {
		return ""
	}
	return "specter" + c.UID + "/" + at.Alias
}

// Open opens the directory and reads its config.json. It fails only if the directory does
// not exist, cannot be opened, or is not a data directory of Specter Desktop.
func Open(path string) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the data directory of Specter Desktop: %w", err)
	}
	f := &Folder{root: root, names: map[[3]string]string{}}
	if !f.isDataDirectory() {
		return nil, errors.Join(fmt.Errorf("%s is not a data directory of Specter Desktop: it has neither config.json nor users.json nor wallets; the default is ~/.specter, unless Specter Desktop runs with SPECTER_DATA_FOLDER", path), root.Close())
	}
	f.readConfig()
	return f, nil
}

// Close closes the directory.
func (f *Folder) Close() error { return f.root.Close() }

func (f *Folder) isDataDirectory() bool {
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
		o.optional("uid", &c.UID)
		if isString(o.fields["auth"]) { // old versions store only the method
			o.optional("auth", &c.AuthMethod)
		} else {
			auth := o.child("auth")
			auth.optional("method", &c.AuthMethod)
			o.warnings = append(o.warnings, auth.warnings...)
		}
		o.optional("active_node_alias", &c.nodeAlias)
		if rpc := o.fields["rpc"]; rpc != nil {
			c.rpc, _ = parseObject(rpc) // invalid settings count as missing
		}
		if c.UID != "" && !isUID(c.UID) {
			o.warn("uid", "is not 16 hexadecimal digits")
		}
		f.Config = c
		return o.warnings, nil
	})
	if !found {
		f.report("config.json", Warning, "is missing, so existing wallets cannot be found in Bitcoin Core")
	}
}

func isUID(text string) bool {
	return len(text) == 16 && strings.Trim(text, "0123456789abcdef") == ""
}

var (
	errTooBig     = errors.New("is too large")
	errNotRegular = errors.New("is not a regular file")
)

// open opens a regular file for reading. It does not block on a named pipe, and os.Root
// refuses paths that lead out of the directory.
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
		err = fmt.Errorf("%w: %d bytes, limit %d", errTooBig, info.Size(), limit)
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

// read calls decode with the content of a JSON file, or of its backup if the file is
// missing or decode fails. Decode returns warnings about the content, which are reported.
// The result, found, reports whether either file exists, even if both are damaged.
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
		f.report(path, Warning, "is missing; its backup was used: %s", show(backup))
	case backupErr == nil:
		f.report(path, Warning, "%s; its backup, which may be older, was used: %s", reason(err), show(backup))
	case missing && errors.Is(backupErr, fs.ErrNotExist):
		return false
	case missing:
		f.report(backup, Error, "%s, and the original file is missing", reason(backupErr))
	case errors.Is(backupErr, fs.ErrNotExist):
		f.report(path, Error, "%s, and has no backup", reason(err))
	default:
		f.report(path, Error, "%s; its backup is unusable as well: %s", reason(err), reason(backupErr))
	}
	return true
}

// entry is a file or a subdirectory of a directory.
type entry struct {
	name     string
	isFolder bool
}

// list returns the entries of a directory sorted by name, without hidden files and
// without names that isPlain refuses.
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
		f.report(path, Error, "has more than %d entries; only these were read", maxEntries)
	}
	for _, e := range all {
		full := join(path, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if !isPlain(e.Name()) {
			f.report(full, Error, "has a name that is too long or has unprintable characters; skipped")
			continue
		}
		info, err := f.root.Stat(full) // follows links, but not out of the directory
		if err != nil {
			f.report(full, Error, "%s", reason(err))
			continue
		}
		entries = append(entries, entry{e.Name(), info.IsDir()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return entries
}

// jsonFiles returns the names without .json of the JSON files in a directory. It includes
// files of which only a backup exists.
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
