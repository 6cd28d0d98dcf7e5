package backup

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Save creates a file that only its owner can read. The file must not exist; it gets its
// name only after it is complete and synced to disk. If Save fails, it leaves no file.
func Save(path string, write func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, errFileExists(path))
	}
	file, err := os.CreateTemp(filepath.Dir(path), partialPrefix+"*"+partialSuffix) // 0600
	if err != nil {
		return fmt.Errorf("create the backup: %w", err)
	}
	defer func() {
		if remove := os.Remove(file.Name()); err != nil && !errors.Is(remove, fs.ErrNotExist) {
			err = errors.Join(err, remove)
		}
	}()
	if err = write(file); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	// Unlike a rename, a link cannot replace an existing file. Some file systems, such as
	// FAT, do not support links.
	switch err := os.Link(file.Name(), path); {
	case errors.Is(err, fs.ErrExist):
		return errFileExists(path)
	case err != nil:
		if err := os.Rename(file.Name(), path); err != nil {
			return fmt.Errorf("rename the backup: %w", err)
		}
	}
	folder, err := os.Open(filepath.Dir(path))
	if err == nil {
		err = errors.Join(folder.Sync(), folder.Close())
	}
	if err != nil {
		return fmt.Errorf("sync the backup's directory: %w", err)
	}
	return nil
}

func errFileExists(path string) error {
	return fmt.Errorf("%s already exists and is not overwritten; choose another name", path)
}

const (
	partialPrefix = ".specterd-backup-"
	partialSuffix = ".partial"
	// partialAge is the time since the last change to an incomplete file after which the
	// file counts as abandoned.
	partialAge = time.Hour

	namePrefix = "specterd-backup-"
	nameSuffix = ".zip"
	nameTime   = "20060102T150405Z"
)

// Folder is the path of a directory with backups that have default names.
type Folder string

// Name returns the default path of a backup made at time now.
func (f Folder) Name(now time.Time) string {
	return filepath.Join(string(f), namePrefix+now.UTC().Format(nameTime)+nameSuffix)
}

// entry is a backup in the directory. Its time is read from its name.
type entry struct {
	path string
	at   time.Time
}

// list returns the backups with default names, newest first. It ignores backups with a
// time after now, since they were made while the clock was wrong.
func (f Folder) list(now time.Time) ([]entry, error) {
	names, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []entry
	for _, name := range names {
		text, ours := strings.CutPrefix(name.Name(), namePrefix)
		text, zip := strings.CutSuffix(text, nameSuffix)
		at, err := time.Parse(nameTime, text)
		if ours && zip && err == nil && name.Type().IsRegular() && !at.After(now) {
			found = append(found, entry{filepath.Join(string(f), name.Name()), at})
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return b.at.Compare(a.at) })
	return found, err
}

// Newest returns the time of the newest backup; zero if there is none.
func (f Folder) Newest(now time.Time) (time.Time, error) {
	found, err := f.list(now)
	if err != nil || len(found) == 0 {
		return time.Time{}, err
	}
	return found[0].at, nil
}

// Prune deletes all backups except the newest keep ones, and the incomplete files of
// interrupted backups. It does not touch files with other names.
func (f Folder) Prune(now time.Time, keep int) error {
	found, err := f.list(now)
	if err != nil {
		return err
	}
	for _, old := range found[min(keep, len(found)):] {
		err = errors.Join(err, os.Remove(old.path))
	}
	partial, _ := filepath.Glob(filepath.Join(string(f), partialPrefix+"*"+partialSuffix))
	for _, path := range partial {
		if info, e := os.Lstat(path); e == nil && now.Sub(info.ModTime()) > partialAge {
			err = errors.Join(err, os.Remove(path))
		}
	}
	return err
}
