// Package privatefile creates and changes files in directories that another account may
// write to. For example, root may run a command on the data directory of the service
// account. The package opens no file whose last path element is a symbolic link, writes
// only to new files and to regular files with exactly one hard link, and changes owners
// only by file descriptor.
package privatefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// LockFlag contains the flags for opening a file that Ensure created, for example to lock
// it. O_NOFOLLOW rejects symbolic links. O_NONBLOCK is required because opening a named
// pipe would otherwise wait for a writer.
const LockFlag = os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// Create creates a file for writing and fails if it exists. Only the owner can
// access the file. If root creates it in a directory of another account, it belongs
// to that account.
func Create(path string) (*os.File, error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f, err := create(dir, filepath.Base(path))
	return f, errors.Join(err, dir.Close())
}

func create(dir *os.Root, name string) (*os.File, error) {
	f, err := dir.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	if err := giveToOwnerOf(dir, f); err != nil {
		return nil, errors.Join(err, f.Close(), dir.Remove(name))
	}
	return f, nil
}

// giveToOwnerOf changes the owner of a file that root created to the owner of the
// directory.
func giveToOwnerOf(dir *os.Root, f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := dir.Stat(".")
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}

// WriteNew is like Create, and writes the content of the file.
func WriteNew(path string, content []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// Ensure creates an empty file if it does not exist.
func Ensure(path string) error {
	f, err := Create(path)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// Replace writes a file under the temporary name path + ".new", renames it, and syncs
// the file and its directory, so that the new file is on the disk when Replace returns
// nil. If it fails before the rename, the existing file is unchanged.
func Replace(path string, write func(io.Writer) error) (err error) {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	name := filepath.Base(path)
	temporary := name + ".new"
	// Remove the temporary file that a crash may have left. Remove does not follow
	// a link.
	if err := dir.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := create(dir, temporary)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = dir.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, dir.Remove(temporary))
	}
	return syncDir(dir)
}

func syncDir(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// WriteExisting overwrites the content of an existing file. It returns an error for a
// symbolic link and for everything except a regular file with exactly one hard link.
func WriteExisting(path string, content []byte) error {
	f, err := open(path, os.O_WRONLY)
	if err != nil {
		return err
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.Write(content)
	}
	return errors.Join(err, f.Close())
}

// ReadExisting returns up to limit bytes of a file. It returns an error for the same
// files as WriteExisting.
func ReadExisting(path string, limit int64) ([]byte, error) {
	f, err := open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit))
	return content, errors.Join(err, f.Close())
}

func open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|LockFlag, 0) //nolint:gosec // what it must not be is refused
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		if of, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && of.Nlink != 1 {
			err = fmt.Errorf("%s is not a regular file with one name", path)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// MkdirAll creates a directory and its parents, accessible only to the owner. If root
// creates the directory in an existing parent, it belongs to the owner of the parent;
// parents that root creates belong to root. It returns an error for a symbolic link that
// Resolve rejects.
func MkdirAll(path string) error {
	if _, err := Resolve(path); err != nil {
		return err
	}
	parent := filepath.Dir(path)
	if _, err := os.Lstat(path); err == nil || parent == path {
		return os.MkdirAll(path, dirMode) // returns the error for a path that is not a directory
	}
	if err := os.MkdirAll(parent, dirMode); err != nil {
		return err
	}
	above, err := os.OpenRoot(parent)
	if err != nil {
		return err
	}
	err = mkdir(above, filepath.Base(path))
	return errors.Join(err, above.Close())
}

func mkdir(above *os.Root, name string) error {
	if err := above.Mkdir(name, dirMode); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process created it
			return nil
		}
		return err
	}
	f, err := above.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(giveToOwnerOf(above, f), f.Close())
}

// Resolve returns the target of a symbolic link, which may be a link itself, or path
// unchanged if it is not a link or does not exist. It returns an error if the link
// belongs to an account other than root or the current one, since the owner of a link
// decides where it leads.
func Resolve(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return path, nil //nolint:nilerr // the caller finds out what is wrong with it
	}
	if of, ok := info.Sys().(*syscall.Stat_t); ok && of.Uid != 0 && int(of.Uid) != os.Geteuid() {
		return "", fmt.Errorf("%s is a symbolic link of another account (user id %d) and is not followed; run specterd as that account, or make the link belong to root with: chown -h root %[1]s", path, of.Uid)
	}
	to, err := os.Readlink(path)
	if err != nil || filepath.IsAbs(to) {
		return to, err
	}
	return filepath.Join(filepath.Dir(path), to), nil
}
