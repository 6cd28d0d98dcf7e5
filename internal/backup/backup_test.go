package backup_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/backup"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

var now = time.Date(2026, 11, 22, 9, 47, 10, 5, time.UTC)

// rows is a backup.Source with one table and these rows.
type rows [][]any

var things = backup.Table{Name: "things", Columns: []backup.Column{
	{Name: "name", Type: backup.Text}, {Name: "n", Type: backup.Integer}, {Name: "x", Type: backup.Real}, {Name: "raw", Type: backup.Bytes},
}}

func (rows) Facts(context.Context) (backup.Facts, error) {
	return backup.Facts{Schema: 3, Engine: "SQLite", Chain: "regtest 00", SigningKeys: []string{"k"}}, nil
}
func (rows) Tables(context.Context) ([]backup.Table, error)   { return []backup.Table{things}, nil }
func (rows) Wallets(context.Context) ([]backup.Wallet, error) { return nil, nil }

func (r rows) Rows(context.Context, backup.Table) iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		for _, row := range r {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// save writes a backup into a new directory and returns its path.
func save(t testing.TB, src backup.Source) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.zip")
	testkit.Check(t, backup.Save(path, func(out io.Writer) error {
		_, err := backup.Write(t.Context(), out, src, "specterd test", now)
		return err
	}))
	return path
}

// check opens a backup and verifies its contents.
func check(t testing.TB, path string) error {
	t.Helper()
	f, err := backup.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Check(t.Context()), f.Close())
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	want := rows{
		{"", int64(0), 0.0, []byte{}},
		{"Ä 🪙 \"\\\n\x00\x1f\u2028</script>", int64(-1 << 63), 1e300, []byte{0, 0xff, '\n'}},
		{nil, int64(1<<63 - 1), 0.1 + 0.2, bytes.Repeat([]byte{7}, 1<<20)},
		{"x", nil, nil, nil},
		{"y", int64(9007199254740993), -5e-324, []byte("z")},
	}
	f, err := backup.Open(save(t, want))
	testkit.Check(t, err)
	defer func() { testkit.Check(t, f.Close()) }()
	testkit.Check(t, f.Check(t.Context()))
	var got rows
	for row, err := range f.Rows(t.Context(), things) {
		testkit.Check(t, err)
		got = append(got, row)
	}
	if !reflect.DeepEqual(want, got) { // cmp is slow for long values
		t.Error("the rows differ")
	}
	if f.RowsOf("things") != 5 || f.Schema != 3 || f.Engine != "SQLite" || f.Program != "specterd test" || !f.MadeAt.Equal(now.Truncate(time.Second)) {
		t.Errorf("manifest %+v", f.Manifest)
	}
}

// TestInvalidValues checks that values that do not fit their columns are refused.
func TestInvalidValues(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for i, row := range [][]any{
		{"\xff", nil, nil, nil},
		{int64(1), nil, nil, nil},
		{nil, "1", nil, nil},
		{nil, 1.5, nil, nil},
		{nil, nil, int64(1), nil},
		{nil, nil, inf, nil},
		{nil, nil, nil, "x"},
		{nil, nil, nil},
		{nil, true, nil, nil},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.zip")
			err := backup.Save(path, func(out io.Writer) error {
				_, err := backup.Write(t.Context(), out, rows{{"ok", nil, nil, nil}, row}, "", now)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), "table things: row 2") {
				t.Errorf("%v: %v", row, err)
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
				t.Errorf("%v: left is %v, %v", row, left, err)
			}
		})
	}
}

// TestDamage checks that Check detects truncated backups, and changed bytes that affect
// the contents.
func TestDamage(t *testing.T) {
	t.Parallel()
	path := save(t, rows{{"a", int64(1), 2.5, []byte("b")}, {"c", nil, nil, nil}})
	whole, err := os.ReadFile(path)
	testkit.Check(t, err)
	before := contents(t, path)
	broken := filepath.Join(t.TempDir(), "b.zip")
	harmless := 0
	for i := range whole {
		if i%8 == 0 {
			testkit.Check(t, os.WriteFile(broken, whole[:i], 0o600))
			if err := check(t, broken); err == nil {
				t.Fatalf("truncated at %d of %d bytes, the file passes the check", i, len(whole))
			}
		}
		other := bytes.Clone(whole)
		other[i] ^= 0x55
		testkit.Check(t, os.WriteFile(broken, other, 0o600))
		if check(t, broken) == nil {
			// A change to metadata, such as a member's time, is not detected, but the
			// contents must be unchanged.
			if diff := cmp.Diff(before, contents(t, broken)); diff != "" {
				t.Fatalf("with a changed byte at %d the file passes the check with other contents: %s", i, diff)
			}
			harmless++
		}
	}
	if harmless == len(whole) {
		t.Error("no damage is found")
	}
}

// contents returns the tables and rows of a backup as text.
func contents(t *testing.T, path string) string {
	t.Helper()
	f, err := backup.Open(path)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, f.Close()) }()
	manifest, err := json.Marshal(f.Tables)
	testkit.Check(t, err)
	text := string(manifest)
	for row, err := range f.Rows(t.Context(), things) {
		testkit.Check(t, err)
		text += fmt.Sprint(row)
	}
	return text
}

// rewrite writes a copy of a backup after change has modified the members, and returns
// its path. Members that change sets to nil are removed.
func rewrite(t *testing.T, path string, change func(members map[string][]byte)) string {
	t.Helper()
	archive, err := zip.OpenReader(path)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, archive.Close()) }()
	members := map[string][]byte{}
	for _, member := range archive.File {
		in, err := member.Open()
		testkit.Check(t, err)
		members[member.Name], err = io.ReadAll(in)
		testkit.Check(t, err)
	}
	change(members)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range members {
		if text == nil {
			continue
		}
		member, err := w.Create(strings.TrimSuffix(name, " again"))
		testkit.Check(t, err)
		_, err = member.Write(text)
		testkit.Check(t, err)
	}
	testkit.Check(t, w.Close())
	changed := filepath.Join(t.TempDir(), "c.zip")
	testkit.Check(t, os.WriteFile(changed, out.Bytes(), 0o600))
	return changed
}

// TestManipulatedFiles checks that manipulated files are refused, without reading more than
// the limits permit.
func TestManipulatedFiles(t *testing.T) {
	t.Parallel()
	path := save(t, rows{{"a", int64(1), 2.5, []byte("b")}, {"c", nil, nil, nil}})
	const table = "tables/things.jsonl"
	const length = `"bytes": 80`
	manifest := func(before, after string) func(map[string][]byte) {
		return func(members map[string][]byte) {
			text := bytes.Replace(members["manifest.json"], []byte(before), []byte(after), 1)
			if bytes.Equal(text, members["manifest.json"]) {
				t.Errorf("the manifest has no %s", before)
			}
			members["manifest.json"] = text
		}
	}
	line := func(text string) func(map[string][]byte) {
		return func(members map[string][]byte) {
			members[table] = []byte(text)
		}
	}
	for name, c := range map[string]struct {
		change func(members map[string][]byte)
		want   string
	}{
		"nothing":          {func(map[string][]byte) {}, ""},
		"no manifest":      {func(m map[string][]byte) { m["manifest.json"] = nil }, "it has no manifest.json"},
		"no table":         {func(m map[string][]byte) { m[table] = nil }, `it has no "tables/things.jsonl"`},
		"no descriptors":   {func(m map[string][]byte) { m["descriptors.txt"] = nil }, `it has no "descriptors.txt"`},
		"one more":         {func(m map[string][]byte) { m["../x"] = []byte("x") }, "unexpected file"},
		"one twice":        {func(m map[string][]byte) { m[table+" again"] = []byte("x") }, "two files with the same name"},
		"a newer format":   {manifest(`"format": 1`, `"format": 2, "more": {}`), "made by a newer specterd"},
		"no format":        {manifest(`"format": 1`, `"format": 0`), "manifest.json is invalid"},
		"unknown fields":   {manifest(`"format": 1`, `"format": 1, "x": 1`), "manifest.json is invalid"},
		"no JSON":          {manifest(`{`, ``), "cannot be read"},
		"a long manifest":  {func(m map[string][]byte) { m["manifest.json"] = bytes.Repeat([]byte(" "), 5<<20) }, "too long"},
		"missing rows":     {manifest(`"rows": 2`, `"rows": 3`), "has 2 rows, want 3"},
		"one row less":     {line(`{"name":"a","n":1,"x":2.5,"raw":"62"}` + "\n"), "does not match its hash"},
		"another value":    {line(`{"name":"a","n":2,"x":2.5,"raw":"62"}` + "\n" + `{"name":"c","n":null,"x":null,"raw":null}` + "\n"), "does not match its hash"},
		"another column":   {line(`{"name":"a","m":1,"x":2.5,"raw":"62"}` + "\n"), "line 1 of tables/things.jsonl: a line is not a row"},
		"a column more":    {line(`{"name":"a","n":1,"x":2.5,"raw":"62","y":1}` + "\n"), "is not a row"},
		"two rows a line":  {line(`{"name":"a","n":1,"x":2.5,"raw":"62"}{}` + "\n"), "is not a row"},
		"a number as text": {line(`{"name":"a","n":"1","x":2.5,"raw":"62"}` + "\n"), "column n"},
		"a big number":     {line(`{"name":"a","n":9223372036854775808,"x":2.5,"raw":"62"}` + "\n"), "column n"},
		"a fraction":       {line(`{"name":"a","n":1.5,"x":2.5,"raw":"62"}` + "\n"), "column n"},
		"invalid bytes":    {line(`{"name":"a","n":1,"x":2.5,"raw":"6"}` + "\n"), "column raw"},
		"depth":            {line(`{"name":` + strings.Repeat("[", 1<<20) + "\n"), "is not a row"},
		"a bomb": {func(m map[string][]byte) {
			m[table] = bytes.Repeat([]byte(" "), 100<<20)
			manifest(length, fmt.Sprintf(`"bytes": %d`, 100<<20))(m)
		}, "more than 100 times as long"},
		"an undeclared bomb":    {line(strings.Repeat(" ", 100<<20)), "a line is not a row"},
		"a negative length":     {manifest(length, `"bytes": -1`), "more than 100 times"},
		"an overflowing length": {manifest(length, `"bytes": 9223372036854775807`), "more than 100 times"},
	} {
		t.Run(name, func(t *testing.T) {
			err := check(t, rewrite(t, path, c.change))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%s: got %v, want %q", name, err, c.want)
			}
		})
	}
	empty := filepath.Join(t.TempDir(), "empty")
	testkit.Check(t, os.WriteFile(empty, nil, 0o600))
	for path, want := range map[string]string{
		empty: "is incomplete", t.TempDir(): "is not a regular file", "/nothing": "no such file", "backup.go": "is not a specterd backup",
	} {
		t.Run(path, func(t *testing.T) {
			if err := check(t, path); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
}

// TestSave checks that Save overwrites nothing, that only the owner can read the file, and
// that a failure leaves no file.
func TestSave(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	write := func(text string, err error) func(io.Writer) error {
		return func(out io.Writer) error {
			_, _ = io.WriteString(out, text)
			return err
		}
	}
	broken := errors.New("no space left")
	if err := backup.Save(path, write("half", broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left is %v, %v", left, err)
	}
	testkit.Check(t, backup.Save(path, write("first", nil)))
	if err := backup.Save(path, write("second", nil)); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v", err)
	}
	// The file is created by another process while Save writes.
	other := filepath.Join(dir, "y")
	err := backup.Save(other, func(io.Writer) error { return os.WriteFile(other, []byte("theirs"), 0o600) })
	if err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v", err)
	}
	for path, want := range map[string]string{path: "first", other: "theirs"} {
		text, err := os.ReadFile(path)
		testkit.Check(t, err)
		info, err := os.Stat(path)
		testkit.Check(t, err)
		if string(text) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %q, %v", path, text, info.Mode())
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("left is %v, %v", left, err)
	}
	if err := backup.Save(filepath.Join(dir, "none", "x"), write("", nil)); err == nil {
		t.Error("Save succeeded in a missing directory")
	}
}
