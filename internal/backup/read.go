package backup

import (
	"archive/zip"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/specterd/specterd/internal/text"
)

// Limits for reading untrusted files.
const (
	// maxManifest is the maximum length of a manifest in bytes.
	maxManifest = 4 << 20
	// maxLine is the maximum length of a row in bytes.
	maxLine = 128 << 20
	// The contents of a backup may be at most maxRatio times as long as its file, plus
	// freeBytes. Typical backups have a ratio of five to ten.
	maxRatio  = 100
	freeBytes = 64 << 20
)

// File is a backup that is open for reading.
type File struct {
	Manifest

	path  string
	file  *os.File
	parts map[string]part
}

type part struct {
	Part

	member *zip.File
}

// Open opens a backup and reads its manifest. It does not verify the contents; see Check.
func Open(path string) (*File, error) {
	file, err := os.Open(path) //nolint:gosec // the operator says which file
	if err != nil {
		return nil, fmt.Errorf("open the backup: %w", err)
	}
	f := &File{path: path, file: file}
	if err := f.begin(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func (f *File) begin() error {
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.path)
	}
	archive, err := zip.NewReader(f.file, info.Size())
	if err != nil {
		return fmt.Errorf("%s is not a specterd backup, or is incomplete (%w); use another file", f.path, err)
	}
	members := make(map[string]*zip.File, len(archive.File))
	for _, member := range archive.File {
		if members[member.Name] != nil {
			return f.damaged("it has two files with the same name")
		}
		members[member.Name] = member
	}
	if err := f.readManifest(members[manifestName]); err != nil {
		return err
	}
	delete(members, manifestName)
	return f.match(members, info.Size())
}

func (f *File) damaged(format string, args ...any) error {
	return fmt.Errorf("%s is damaged or was altered: %s; use another backup", f.path, text.Escape(fmt.Sprintf(format, args...)))
}

func (f *File) readManifest(member *zip.File) error {
	if member == nil {
		return fmt.Errorf("%s is a zip file, but not a specterd backup: it has no %s", f.path, manifestName)
	}
	in, err := member.Open()
	if err != nil {
		return f.damaged("%v", err)
	}
	defer in.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err != nil {
		return f.damaged("%s: %v", manifestName, err)
	}
	if len(text) > maxManifest {
		return f.damaged("its %s is too long", manifestName)
	}
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return f.damaged("%s cannot be read", manifestName)
	}
	if version.Format > format {
		return fmt.Errorf("%s has format %d, but this specterd reads format %d; it was made by a newer specterd: restore it with that version", f.path, version.Format, format)
	}
	if err := json.Unmarshal(text, &f.Manifest, json.RejectUnknownMembers(true)); err != nil || f.Format != format {
		return f.damaged("%s is invalid", manifestName)
	}
	return nil
}

// match compares the files in the archive with the manifest.
func (f *File) match(members map[string]*zip.File, size int64) error {
	f.parts = make(map[string]part, len(f.Files))
	total := int64(0)
	for _, p := range f.Files {
		member := members[p.Name]
		if member == nil {
			return f.damaged("it has no %q", p.Name)
		}
		delete(members, p.Name)
		f.parts[p.Name] = part{p, member}
		if p.Bytes < 0 || p.Bytes > freeBytes+maxRatio*size-total {
			return f.damaged("its contents would be more than %d times as long as the file, which is implausible", maxRatio)
		}
		total += p.Bytes
	}
	for name := range members {
		return f.damaged("it has an unexpected file %q", name)
	}
	for _, t := range f.Tables {
		if _, ok := f.parts[t.fileName()]; !ok {
			return f.damaged("it has no file for the table %q", t.Name)
		}
	}
	return nil
}

// Check reads the whole backup and compares its contents with the manifest, including the
// hashes.
func (f *File) Check(ctx context.Context) error {
	read := map[string]bool{}
	for _, t := range f.Tables {
		for _, err := range f.Rows(ctx, t.Table) {
			if err != nil {
				return err
			}
		}
		read[t.fileName()] = true
	}
	for name := range f.parts {
		if read[name] {
			continue
		}
		in, err := f.open(name)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, in); err != nil {
			return f.damaged("%s: %v", name, err)
		}
		if err := in.end(); err != nil {
			return err
		}
	}
	return nil
}

// Rows yields the rows of a table. On an error, it yields the error and stops. The hash
// is verified only after the last row, so rows are unverified unless Check was called.
func (f *File) Rows(ctx context.Context, t Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		in, err := f.open(t.fileName())
		if err != nil {
			yield(nil, err)
			return
		}
		defer in.member.Close() //nolint:errcheck // read only
		rows, lines := newRowReader(t), bufio.NewScanner(in)
		lines.Buffer(make([]byte, 0, 1<<16), maxLine)
		count := int64(0)
		for lines.Scan() {
			row, err := rows.parse(lines.Bytes())
			if err == nil {
				err = ctx.Err()
			} else {
				err = f.damaged("line %d of %s: %v", count+1, t.fileName(), err)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			count++
			if !yield(row, nil) {
				return
			}
		}
		err = lines.Err()
		if err != nil {
			err = f.damaged("%s: %v", t.fileName(), err)
		} else if err = in.end(); err == nil && count != f.RowsOf(t.Name) {
			err = f.damaged("%s has %d rows, want %d", t.fileName(), count, f.RowsOf(t.Name))
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// partReader reads one file of a backup. It reads at most one byte more than the expected
// length, which is sufficient to detect a longer file.
type partReader struct {
	io.Reader // remaining bytes; reading adds them to sum

	f      *File
	part   part
	member io.ReadCloser
	sum    hash.Hash
	left   *io.LimitedReader
}

func (f *File) open(name string) (*partReader, error) {
	p := f.parts[name]
	member, err := p.member.Open()
	if err != nil {
		return nil, f.damaged("%s: %v", name, err)
	}
	r := &partReader{f: f, part: p, member: member, sum: sha256.New()}
	r.left = &io.LimitedReader{R: member, N: p.Bytes + 1}
	r.Reader = io.TeeReader(r.left, r.sum)
	return r, nil
}

// end verifies the length and the hash. It must be called after all bytes were read.
func (r *partReader) end() error {
	if err := r.member.Close(); err != nil {
		return r.f.damaged("%s: %v", r.part.Name, err)
	}
	if r.left.N != 1 || hex.EncodeToString(r.sum.Sum(nil)) != r.part.SHA256 {
		return r.f.damaged("%s does not match its hash", r.part.Name)
	}
	return nil
}
