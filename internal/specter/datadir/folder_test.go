package datadir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/specter/datadir"
)

var update = flag.Bool("update", false, "update the golden files")

const folders = "../../../testdata/specter-desktop/"

// contents is everything that can be read from a directory.
type contents struct {
	Config   datadir.Config
	Users    []userContents
	Problems []string
}

type userContents struct {
	datadir.User
	Devices []datadir.Device
	Wallets []walletContents
}

type walletContents struct {
	datadir.Wallet
	Labels []datadir.Label
}

func readAll(t testing.TB, path string) contents {
	t.Helper()
	f, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	return readFolder(t, f)
}

func readFolder(t testing.TB, f *datadir.Folder) contents {
	t.Helper()
	c := contents{Config: f.Config}
	for _, u := range f.Users() {
		all := userContents{User: u, Devices: f.Devices(u)}
		for _, at := range f.Wallets(u) {
			w, ok := f.Wallet(at)
			if !ok {
				continue
			}
			contents := walletContents{Wallet: w}
			if err := f.Labels(at, func(l datadir.Label) error {
				contents.Labels = append(contents.Labels, l)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			all.Wallets = append(all.Wallets, contents)
		}
		c.Users = append(c.Users, all)
	}
	for _, p := range f.Problems() {
		c.Problems = append(c.Problems, p.String())
		if !isSafe(p.Path) || !isSafe(p.What) {
			t.Errorf("not safe to print: %q", p)
		}
	}
	return c
}

func isSafe(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) && len(text) < 2000
}

// TestFolders reads two directories and compares the contents with golden files. Specter
// Desktop created the directory real; madeup covers further cases.
func TestFolders(t *testing.T) {
	for _, name := range []string{"real", "madeup"} {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(readAll(t, folders+name), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// problems creates a directory with these files, reads it, and returns its contents and
// the reported problems. A file whose text begins with "-> " becomes a link to the path
// that follows.
func problems(t *testing.T, files map[string]string) (contents, string) {
	t.Helper()
	path := t.TempDir()
	for name, text := range files {
		full := filepath.Join(path, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = os.Symlink(target, full)
		} else {
			err = os.WriteFile(full, []byte(text), 0o400)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c := readAll(t, path)
	return c, strings.Join(c.Problems, "\n")
}

const someUsers = `[{"id": "admin", "username": "admin", "is_admin": true, "password": {"salt": "c2FsdA==", "pwdhash": "DxaLVao1NuwwIIwbcy16WwCpjp6Zpg5b1nVn07PSKPE="}}]`

const someWallet = `{"name": "W", "address_type": "bech32", "recv_descriptor": "r", "change_descriptor": "c", "devices": [], "keys": []}`

func TestLinks_OutsideDirectory(t *testing.T) {
	outside := t.TempDir()
	for name, text := range map[string]string{"secret.json": someWallet, "secret.csv": "address,label\na,b\n", "regtest/w.json": someWallet} {
		t.Run(name, func(t *testing.T) {
			full := filepath.Join(outside, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		})
	}
	c, report := problems(t, map[string]string{
		"users.json":                   someUsers,
		"config.json":                  "-> " + outside + "/secret.json",
		"wallets/regtest/out.json":     "-> " + outside + "/secret.json",
		"wallets/regtest/up.json":      "-> ../../../../../../../../etc/passwd",
		"wallets/regtest/in.json":      someWallet,
		"wallets/regtest/in_addr.csv":  "-> " + outside + "/secret.csv",
		"wallets/regtest/inside.json":  "-> in.json",
		"wallets/regtest/loop.json":    "-> loop.json",
		"wallets/regtest/nowhere.json": "-> gone.json",
		"wallets/signet":               "-> " + outside + "/regtest",
		"devices":                      "-> " + outside,
	})
	var aliases []string
	for _, w := range c.Users[0].Wallets {
		aliases = append(aliases, w.Alias)
		if len(w.Labels) > 0 {
			t.Errorf("labels of another directory: %v", w.Labels)
		}
	}
	if want := "in inside"; strings.Join(aliases, " ") != want {
		t.Errorf("wallets %s, want %s", aliases, want)
	}
	for _, path := range []string{"config.json", "devices", "wallets/regtest/out.json", "wallets/regtest/up.json", "wallets/regtest/in_addr.csv", "wallets/signet"} {
		if !strings.Contains(report, "error: "+path+": is a link that leads out of the directory") {
			t.Errorf("the link %s is not reported in\n%s", path, report)
		}
	}
}

func TestUnprintableNames(t *testing.T) {
	c, report := problems(t, map[string]string{
		"users.json":                       someUsers,
		"wallets/regtest/a\nb.json":        someWallet,
		"wallets/regtest/\xff.json":        someWallet,
		"wallets/regtest/\x1b[2J.json":     someWallet,
		"wallets/regtest/back\\slash.json": someWallet,
		"wallets/regtest/.hidden.json":     someWallet,
		"wallets/regtest/.json":            someWallet,
		"wallets/a\tb/c.json":              someWallet,
		"wallets/regtest/Größe ünd 中.json": someWallet,
	})
	if n := len(c.Users[0].Wallets); n != 1 || c.Users[0].Wallets[0].Alias != "Größe ünd 中" {
		t.Errorf("%d wallets, want one: %v", n, c.Users[0].Wallets)
	}
	if n := strings.Count(report, "unprintable characters"); n != 5 {
		t.Errorf("%d names are reported, want 5:\n%s", n, report)
	}
}

// TestSizeLimits checks that oversized files are refused without being read into memory,
// and that a named pipe does not block.
func TestSizeLimits(t *testing.T) {
	path := t.TempDir()
	folder := filepath.Join(path, "wallets/regtest")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(path, "users.json"), []byte(someUsers), 0o600)); err != nil {
		t.Fatal(err)
	}
	sparse := func(name, head string, size int64) {
		full := filepath.Join(folder, name)
		if err := errors.Join(os.WriteFile(full, []byte(head), 0o600), os.Truncate(full, size)); err != nil {
			t.Fatal(err)
		}
	}
	sparse("huge.json", someWallet, 1<<30)
	sparse("a.json", someWallet, int64(len(someWallet)))
	sparse("a_addr.csv", "address,label\n", 1<<30)
	sparse("b.json", someWallet, int64(len(someWallet)))
	sparse("b_addr.csv", "address,label\nx,one\ny,\"never closed", 200<<20)
	sparse("b_txs.csv", "", 1<<40)
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := readAll(t, path)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 20<<20 {
		t.Errorf("reading took %d bytes of memory", used)
	}
	report := strings.Join(c.Problems, "\n")
	for _, want := range []string{
		"error: wallets/regtest/huge.json: is too large: 1073741824 bytes",
		"error: wallets/regtest/a_addr.csv: is too large: 1073741824 bytes",
		"error: wallets/regtest/b_addr.csv: has a row longer than a million bytes",
		"error: wallets/regtest/pipe.json: is not a regular file",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in\n%s", want, report)
		}
	}
	if labels := c.Users[0].Wallets[1].Labels; len(labels) != 1 || labels[0].Text != "one" {
		t.Errorf("labels %v, want the one before the damage", labels)
	}
}

// TestExportedLabels checks that labels are read from the wallet's own file if the CSV file is
// missing.
func TestExportedLabels(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	const wallet = `{"address_type": "bech32", "recv_descriptor": "r", "change_descriptor": "c", "keys": [], "devices": [], "labels": `
	write("config.json", "{}")
	write("users.json", `[{"id": "admin", "username": "admin", "password": {"salt": "c2FsdA==", "pwdhash": "`+strings.Repeat("A", 43)+`="}, "is_admin": true}]`)
	write("wallets/main/a.json", wallet+`{"Miete für März": ["bc1qone", "bc1qtwo"], "none": [], "": ["bc1qthree"], "wrong": 7, "odd": ["bc1\u0007"]}}`)
	write("wallets/main/b.json", wallet+`{"old": ["bc1qone"]}}`)
	write("wallets/main/b_addr.csv", "address,index,change,label,used,service_id\r\nbc1qone,0,False,new,,\r\n")
	write("wallets/main/c.json", wallet+`["no object"]}`)
	c := readAll(t, dir)
	got := [][]datadir.Label{}
	for _, w := range c.Users[0].Wallets {
		got = append(got, w.Labels)
	}
	want := [][]datadir.Label{{{Address: "bc1qone", Text: "Miete für März"}, {Address: "bc1qtwo", Text: "Miete für März"}}, {{Address: "bc1qone", Text: "new"}}, nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	report := strings.Join(c.Problems, "\n")
	for _, what := range []string{"a.json: has an empty label", "a.json: has a label whose addresses are not a list", "c.json: labels has the wrong type"} {
		if !strings.Contains(report, what) {
			t.Errorf("%q is not in\n%s", what, report)
		}
	}
}

// TestManyLabels checks that memory use does not grow with the number of labels.
func TestManyLabels(t *testing.T) {
	var text bytes.Buffer
	text.WriteString("address,index,change,label,used,service_id\r\n")
	const n = 100_000
	for i := range n {
		fmt.Fprintf(&text, "bcrt1q40q9dtrxg4yyl7pj6ttzxzw9kpm28twdwkjyqw,%d,False,label %d,True,\r\n", i, i)
	}
	path := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(path, "wallets"), 0o700), os.WriteFile(filepath.Join(path, "wallets/w_addr.csv"), text.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	f, err := datadir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	at := datadir.WalletFile{Path: "wallets/w.json"}
	count := 0
	var heap runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&heap)
	before := heap.HeapAlloc
	err = f.Labels(at, func(datadir.Label) error {
		if count++; count == n/2 {
			runtime.GC()
			runtime.ReadMemStats(&heap)
		}
		return nil
	})
	if err != nil || count != n {
		t.Fatalf("%d labels, %v", count, err)
	}
	if grown := int64(heap.HeapAlloc) - int64(before); grown > 1<<20 {
		t.Errorf("the heap grew by %d bytes after half of the labels", grown)
	}
	stop := errors.New("stop")
	if err := f.Labels(at, func(datadir.Label) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{t.TempDir(), file, file + "/gone", ""} {
		if f, err := datadir.Open(path); err == nil {
			t.Errorf("Open(%q) succeeded", path)
			_ = f.Close()
		}
	}
}

func TestFolderWithoutUsers(t *testing.T) {
	_, report := problems(t, map[string]string{"wallets/regtest/w.json": someWallet})
	for _, want := range []string{"warning: config.json: is missing", "error: users.json: is missing"} {
		if !strings.Contains(report, want) {
			t.Errorf("%q is not in\n%s", want, report)
		}
	}
}

// FuzzFolder replaces one file of a directory with arbitrary data, and checks that the
// reported problems are safe to print.
func FuzzFolder(f *testing.F) {
	kinds := []string{"users.json", "config.json", "wallets/regtest/w.json", "wallets/regtest/w_addr.csv", "devices/d.json"}
	for i, name := range []string{"users.json", "config.json", "wallets/regtest/simple_one.json", "wallets/regtest/simple_one_addr.csv", "devices/my_trezor.json"} {
		text, err := os.ReadFile(folders + "real/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), text)
	}
	f.Add(uint8(0), []byte(`[{"id":"","username":"a","is_admin":false,"password":{"salt":"","pwdhash":"="},"jwt_tokens":{"":{}}}]`))
	f.Add(uint8(3), []byte("label,address\n\"\n"))
	path := f.TempDir()
	for _, name := range kinds {
		full := filepath.Join(path, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o700), os.WriteFile(full, []byte("{}"), 0o600)); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		if err := os.WriteFile(filepath.Join(path, kinds[int(kind)%len(kinds)]), text, 0o600); err != nil {
			t.Fatal(err)
		}
		folder, err := datadir.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = folder.Close() }()
		folder.Users()
		admin := datadir.User{HasFolders: true}
		folder.Devices(admin)
		for _, at := range folder.Wallets(admin) {
			folder.Wallet(at)
			_ = folder.Labels(at, func(datadir.Label) error { return nil })
		}
		for _, p := range folder.Problems() {
			if !isSafe(p.Path) || !isSafe(p.What) {
				t.Errorf("not safe to print: %q", p)
			}
		}
	})
}

// TestCoreName checks the names of wallets in Bitcoin Core. The name is unknown (empty)
// if it would lead to another directory of Bitcoin Core.
func TestCoreName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config      datadir.Config
		alias, want string
	}{
		{datadir.Config{UID: "78f4d39c67b50e9e", UIDKnown: true}, "simple_one", "specter78f4d39c67b50e9e/simple_one"},
		{datadir.Config{UIDKnown: true}, "überweisung", "specter/überweisung"},
		{datadir.Config{}, "simple_one", ""},
		{datadir.Config{UID: "../../../x", UIDKnown: true}, "simple_one", ""},
		{datadir.Config{UID: "78F4D39C67B50E9E", UIDKnown: true}, "simple_one", ""},
		{datadir.Config{UIDKnown: true}, "..", ""},
		{datadir.Config{UIDKnown: true}, "../x", ""},
		{datadir.Config{UIDKnown: true}, "a b", ""},
		{datadir.Config{UIDKnown: true}, "Simple", ""},
		{datadir.Config{UIDKnown: true}, "", ""},
	} {
		t.Run(c.alias, func(t *testing.T) {
			if got := c.config.CoreName(datadir.WalletFile{Alias: c.alias}); got != c.want {
				t.Errorf("%+v, %q: %q, want %q", c.config, c.alias, got, c.want)
			}
		})
	}
}
