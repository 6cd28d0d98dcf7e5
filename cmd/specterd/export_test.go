package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// exported is what these tests look at of the files.
type exported struct {
	specter struct {
		Name, Alias, Address  string
		ChangeAddress         string `json:"change_address"`
		Receive               string `json:"recv_descriptor"`
		Change                string `json:"change_descriptor"`
		BlockHeight           int
		Labels                map[string][]string
		Frozen                []string `json:"frozen_utxo"`
		Devices               []string
		SigsRequired, Keypool int
	}
	account struct {
		Label, Descriptor string
		BlockHeight       int
		Devices           []struct{ Type, Label string }
	}
	core   json.RawMessage
	labels string
}

// exporter is specterd with a data folder, a database and a node.
type exporter struct {
	t    *testing.T
	dir  string
	env  []string
	node *testkit.Node
	*server
	token string // of the admin
}

// serve has it serve, too.
func (e *exporter) serve() {
	e.t.Helper()
	e.server = startServer(e.t, e.dir, e.env...)
	var made madeToken
	call(e.t.Context(), http.MethodPost, e.url+"/api/v1/tokens", "", map[string]any{"description": "export", "lifetime": "1 hour"}, &made)
	e.token = made.Secret
}

// command is specterd at the shell.
func (e *exporter) command(args ...string) *exec.Cmd {
	e.t.Helper()
	cmd := tool(e.t, e.dir, args...)
	cmd.Env = append(append(cmd.Env, "SPECTER_ADMIN_PASSWORD="+testPassword), e.env...)
	return cmd
}

// run runs a command, which has to end with a status, and returns what it prints,
// and what it complains of if it fails.
func (e *exporter) run(status int, args ...string) string {
	e.t.Helper()
	out, err := e.command(args...).Output()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, out = exit.ExitCode(), append(out, exit.Stderr...)
	} else {
		check(e.t, err)
	}
	if got != status || strings.Contains(string(out), "goroutine") {
		e.t.Errorf("%q: status %d, want %d\n%s", args, got, status, out)
	}
	return string(out)
}

// labels gets the labels of one of the admin's wallets, or sets them where there
// are any.
func (e *exporter) labels(alias, lines string) string {
	e.t.Helper()
	method := http.MethodGet
	if lines != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+"/api/v1/wallets/"+alias+"/labels", strings.NewReader(lines))
	check(e.t, err)
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Content-Type", "application/jsonl")
	resp, err := http.DefaultClient.Do(req)
	check(e.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	check(e.t, err)
	if resp.StatusCode != http.StatusOK || strings.Contains(string(text), `"message"`) {
		e.t.Fatalf("labels of %s: status %d\n%s", alias, resp.StatusCode, text)
	}
	return string(text)
}

// settles waits until the index of the admin's wallet is at the node's last block.
func (e *exporter) settles(alias string) {
	e.t.Helper()
	var height int
	check(e.t, json.Unmarshal(e.node.CLI(e.t, "getblockcount"), &height))
	testkit.Eventually(e.t, alias+" to be ready", func() bool {
		var v struct {
			Status string
			AsOf   struct{ Height int } `json:"as_of"`
		}
		call(e.t.Context(), http.MethodGet, e.url+"/api/v1/wallets/"+alias, e.token, nil, &v)
		return v.Status == "ready" && v.AsOf.Height == height
	})
}

// read reads the files of one wallet, which nobody else may read.
func (e *exporter) read(folder string) (x exported) {
	e.t.Helper()
	for name, into := range map[string]any{"specter.json": &x.specter, "account-map.json": &x.account, "core.json": &x.core, "labels.jsonl": nil} {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		check(e.t, err)
		if info.Mode().Perm() != 0o600 {
			e.t.Errorf("%s has the mode %v", path, info.Mode())
		}
		text, err := os.ReadFile(path)
		check(e.t, err)
		if into == nil {
			x.labels = string(text)
			continue
		}
		check(e.t, json.Unmarshal(text, into))
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		e.t.Errorf("%s: %v, %v", folder, info.Mode(), err)
	}
	return x
}

// kinds are wallets of all kinds of scripts that hardware wallets make.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	var keys []string
	for n := range 3 {
		key, _ := testkit.Key(t, n)
		keys = append(keys, key+"/<0;1>/*")
	}
	return map[string]string{
		"Käse & 貯金 Nº1":   "wpkh(" + keys[0] + ")",
		"nested":          "sh(wpkh(" + keys[0] + "))",
		"tap":             "tr(" + keys[1] + ")",
		"../old \"ones\"": "pkh(" + keys[2] + ")",
		"Vault 2/3":       "wsh(sortedmulti(2," + strings.Join(keys, ",") + "))",
	}
}

// TestExport: what is written of wallets is read back by Bitcoin Core, by
// specterd import, by specterd wallet create and as labels, and is the same then.
func TestExport(t *testing.T) {
	databases := map[string][]string{"SQLite": nil}
	if testkit.Long() { // export reads as the API does, which is tested on both
		databases["PostgreSQL"] = []string{"SPECTER_DATABASE_URL=" + testkit.Postgres(t), "SECRET_KEY=" + testKey}
	}
	for name, env := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Bitcoind(t)
			node.Mine(t, 7)
			e := &exporter{t: t, dir: t.TempDir(), env: append(env, nodeSettings(node)...), node: node}
			e.serve()
			aliases := e.makeWallets()
			folder := filepath.Join(t.TempDir(), "new", "folder")
			e.run(0, "export", "--to", folder)
			entries, err := os.ReadDir(folder)
			check(t, err)
			if len(entries) != len(aliases) {
				t.Errorf("written is %v, and there are %v", entries, aliases)
			}
			for _, alias := range aliases {
				x := e.read(filepath.Join(folder, alias))
				e.compareOutput(alias, filepath.Join(folder, alias))
				e.compareLabels(alias, x)
				e.intoCore(alias, x)
				e.fromFiles(alias, x)
			}
			e.throughSpecter(folder, aliases)
		})
	}
}

// makeWallets makes one of each kind for the admin, with 50 BTC, labels and a coin
// of another 50 that is frozen.
func (e *exporter) makeWallets() (aliases []string) {
	t := e.t
	t.Helper()
	coins := map[string][]string{}
	for name, descriptor := range kinds(t) {
		var v, address struct{ Alias, Address string }
		if status := call(t.Context(), http.MethodPost, e.url+"/api/v1/wallets", e.token, map[string]any{"name": name, "descriptor": descriptor, "birth": 5}, &v); status != http.StatusCreated {
			t.Fatalf("status %d\n%s", status, e.log)
		}
		aliases = append(aliases, v.Alias)
		for i := range 2 {
			order := map[string]any{"label": fmt.Sprintf("Miete %d für „März“ \\ \"x\"", i)}
			if status := call(t.Context(), http.MethodPost, e.url+"/api/v1/wallets/"+v.Alias+"/addresses", e.token, order, &address); status != http.StatusCreated {
				t.Fatalf("status %d\n%s", status, e.log)
			}
			var hashes []string
			check(t, json.Unmarshal(e.node.CLI(t, "generatetoaddress", 1, address.Address), &hashes))
			var block struct{ Tx []string }
			check(t, json.Unmarshal(e.node.CLI(t, "getblock", hashes[0]), &block))
			coins[v.Alias] = append(coins[v.Alias], block.Tx[0])
		}
	}
	e.node.Mine(t, 100)
	for _, alias := range aliases {
		e.settles(alias)
		e.labels(alias, fmt.Sprintf(`{"type":"output","ref":"%[1]s:0","spendable":false}
{"type":"tx","ref":"%[1]s","label":"the first 🪙"}
{"type":"output","ref":"%[2]s:0","label":"the second"}
{"type":"addr","ref":"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x","label":"the landlord"}
{"type":"addr","ref":"bcrt1q2yn02ktnrjfq49d7hyh7rwqmmvkdpcpecvfdz4sajnxw92a3nusqvdnsqc","label":"the landlord"}
`, coins[alias][0], coins[alias][1]))
	}
	return aliases
}

// compareOutput: what comes on standard output is what is in the files.
func (e *exporter) compareOutput(alias, folder string) {
	e.t.Helper()
	for format, name := range map[string]string{"specter": "specter.json", "account-map": "account-map.json", "core": "core.json", "labels": "labels.jsonl"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		check(e.t, err)
		if got := e.run(0, "export", "--wallet", alias, "--format", format); got != string(want) {
			e.t.Errorf("%s of %s is\n%s\nand in the file\n%s", format, alias, got, want)
		}
	}
}

// compareLabels: the labels are those of the API, and another wallet that gets them
// has the same.
func (e *exporter) compareLabels(alias string, x exported) {
	t := e.t
	t.Helper()
	if got := e.labels(alias, ""); got != x.labels || strings.Count(got, "\n") != 7 || strings.Count(got, `"spendable":false`) != 1 {
		t.Errorf("%s: the API has the labels\n%s\nand the file\n%s", alias, got, x.labels)
	}
	if imported := e.labels(alias, x.labels); !strings.Contains(imported, `{"imported":7,"ignored":[],"failed":[]}`) {
		t.Errorf("%s: of its own labels: %s", alias, imported)
	}
	if again := e.labels(alias, ""); again != x.labels {
		t.Errorf("%s: after the import of its own labels it has\n%s", alias, again)
	}
	if len(x.specter.Frozen) != 1 || !strings.Contains(x.labels, `"ref":"`+x.specter.Frozen[0]+`","spendable":false`) {
		t.Errorf("%s: frozen is %v, and labels are\n%s", alias, x.specter.Frozen, x.labels)
	}
	if len(x.specter.Labels) != 3 || len(x.specter.Labels["the landlord"]) != 2 {
		t.Errorf("%s: Specter Desktop would have the labels %v", alias, x.specter.Labels)
	}
}

// intoCore has the node import core.json, as the help says, into a wallet that
// knows nothing, and compares addresses and balance.
func (e *exporter) intoCore(name string, x exported) {
	t := e.t
	t.Helper()
	e.node.CLI(t, "createwallet", name, true, true)
	var results []struct {
		Success  bool
		Warnings []string
	}
	check(t, json.Unmarshal(e.node.WalletCLI(t, name, "importdescriptors", x.core), &results))
	if len(results) != 2 || !results[0].Success || !results[1].Success || len(results[0].Warnings)+len(results[1].Warnings) > 0 {
		t.Errorf("%s: %+v", name, results)
	}
	var balances struct{ Mine struct{ Trusted json.Number } }
	check(t, json.Unmarshal(e.node.WalletCLI(t, name, "getbalances"), &balances))
	if balances.Mine.Trusted != "100.00000000" {
		t.Errorf("%s has %s BTC in Core", name, balances.Mine.Trusted)
	}
	kind := map[string]string{"w": "bech32", "s": "p2sh-segwit", "t": "bech32m", "p": "legacy"}[x.specter.Receive[:1]]
	for method, want := range map[string]string{"getnewaddress": x.specter.Address, "getrawchangeaddress": x.specter.ChangeAddress} {
		params := []any{kind}
		if method == "getnewaddress" {
			params = []any{"", kind}
		}
		var address string
		check(t, json.Unmarshal(e.node.WalletCLI(t, name, method, params...), &address))
		if address != want || want == "" {
			t.Errorf("%s: the next address of %s is %s in Core, and %s here", name, method, address, want)
		}
	}
	var requests []struct {
		Timestamp int64
		Range     []int
	}
	check(t, json.Unmarshal(x.core, &requests))
	var hash string
	var header struct{ Time int64 }
	check(t, json.Unmarshal(e.node.CLI(t, "getblockhash", x.specter.BlockHeight), &hash))
	check(t, json.Unmarshal(e.node.CLI(t, "getblockheader", hash), &header))
	if requests[0].Timestamp != header.Time || requests[1].Timestamp != header.Time || requests[1].Range[1] != x.specter.Keypool-1 {
		t.Errorf("%s: %+v, and block %d is of %d", name, requests, x.specter.BlockHeight, header.Time)
	}
}

// fromFiles makes the same wallet for another user, of the descriptors in each of the
// files. An account map has only that of the receive branch.
func (e *exporter) fromFiles(alias string, x exported) {
	t := e.t
	t.Helper()
	other := "user-" + alias
	cmd := e.command("user", "add", other, "--password-stdin")
	cmd.Stdin = strings.NewReader(testPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if x.account.Label != x.specter.Name || x.account.BlockHeight != 5 || len(x.account.Devices) != len(x.specter.Devices) || x.account.Devices[0].Type != "other" {
		t.Errorf("%s: %+v", alias, x.account)
	}
	// Each is taken out of one file as it is there.
	var requests []struct{ Desc string }
	check(t, json.Unmarshal(x.core, &requests))
	files := [][]string{{"--descriptor", x.account.Descriptor}}
	if len(x.specter.Devices) > 1 { // for one kind; the text is the same for all
		files = append(
			files,
			[]string{"--descriptor", x.specter.Receive, "--change-descriptor", x.specter.Change},
			[]string{"--descriptor", requests[0].Desc, "--change-descriptor", requests[1].Desc},
			[]string{"--descriptor", btc.Multipath(x.specter.Receive, x.specter.Change)},
		)
	}
	for i, flags := range files {
		if i > 0 {
			e.run(0, "wallet", "rm", alias, "--user", other)
		}
		out := e.run(0, append([]string{"wallet", "create", "--user", other, "--name", x.account.Label, "--birth", fmt.Sprint(x.account.BlockHeight)}, flags...)...)
		if implied := "change addresses use the branch /1/*"; strings.Contains(out, implied) != (i == 0) {
			t.Errorf("%s of %q: %s", alias, flags, out)
		}
		shown := e.run(0, "wallet", "show", alias, "--user", other)
		for _, descriptor := range []string{x.specter.Receive, x.specter.Change} {
			if !strings.Contains(shown, " "+descriptor+"\n") {
				t.Errorf("%s of %q: not of %s:\n%s", alias, flags, descriptor, shown)
			}
		}
	}
	if got := e.run(0, "export", "--user", other, "--wallet", alias, "--format", "labels"); got != "" {
		t.Errorf("%s: somebody else sees the labels\n%s", alias, got)
	}
}

// throughSpecter puts the files where Specter Desktop has its wallets, imports
// them into a specterd that knows nothing, and exports them there.
func (e *exporter) throughSpecter(folder string, aliases []string) {
	t := e.t
	t.Helper()
	home := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(home, "wallets", "regtest"), 0o700))
	users := `[{"id": "admin", "username": "admin", "is_admin": true, "password": {"salt": "c2FsdA==", "pwdhash": "` + strings.Repeat("A", 43) + `="}}]`
	check(t, os.WriteFile(filepath.Join(home, "users.json"), []byte(users), 0o600))
	for _, alias := range aliases {
		text, err := os.ReadFile(filepath.Join(folder, alias, "specter.json"))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(home, "wallets", "regtest", alias+".json"), text, 0o600))
	}
	there := &exporter{t: t, dir: t.TempDir(), env: nodeSettings(e.node), node: e.node}
	cmd := there.command("import", home)
	cmd.Env = append(cmd.Env, "SPECTER_ADMIN_PASSWORD=admin") // whose place the imported admin takes
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "5 imported") {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd = there.command("user", "passwd", "admin", "--password-stdin")
	cmd.Stdin = strings.NewReader(testPassword + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	there.serve()
	for _, alias := range aliases {
		there.settles(alias)
	}
	again := filepath.Join(t.TempDir(), "again")
	there.run(0, "export", "--to", again)
	for _, alias := range aliases {
		for _, name := range []string{"specter.json", "account-map.json", "core.json"} {
			want, err := os.ReadFile(filepath.Join(folder, alias, name))
			check(t, err)
			got, err := os.ReadFile(filepath.Join(again, alias, name))
			check(t, err)
			if string(got) != string(want) {
				t.Errorf("%s of %s was\n%s\nand is, once imported,\n%s", name, alias, want, got)
			}
		}
	}
}

// TestExportRefuses: what cannot be written, and what must not be overwritten.
func TestExportRefuses(t *testing.T) {
	node := testkit.Bitcoind(t)
	node.Mine(t, 7)
	e := &exporter{t: t, dir: t.TempDir(), env: nodeSettings(node), node: node}
	says := func(status int, want string, args ...string) {
		t.Helper()
		if out := e.run(status, append([]string{"export"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%q does not say %q:\n%s", args, want, out)
		}
	}
	to := filepath.Join(t.TempDir(), "to")
	says(1, "is required, with FORMAT one of")
	says(1, "omit either", "--to", to, "--format", "core", "--wallet", "x")
	says(1, "--format requires --wallet", "--format", "core")
	says(1, "must be specter, account-map, labels or core", "--format", "pdf", "--wallet", "x")
	says(1, "user not found", "--to", to, "--user", "nobody")
	says(1, "wallet not found among your wallets", "--to", to, "--wallet", "../../etc")
	says(0, "nothing was written", "--to", to)
	key, _ := testkit.Key(t, 0)
	e.run(0, "wallet", "create", "--name", "Savings", "--birth", "now", "--descriptor", "wpkh("+key+"/<0;1>/*)")
	e.run(0, "wallet", "create", "--name", "Odd", "--birth", "now", "--descriptor", "wpkh("+key+"/<2;3>/*)")
	if _, err := os.Stat(to); err == nil {
		t.Error("a folder was made for nothing")
	}

	const partial = "the export is PARTIAL"
	says(3, partial, "--to", to)
	for name, want := range map[string]string{"savings": "account-map.json core.json labels.jsonl specter.json", "odd": "core.json labels.jsonl"} {
		var got []string
		entries, err := os.ReadDir(filepath.Join(to, name))
		check(t, err)
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("of %s there is %v, want %s", name, got, want)
		}
	}
	says(1, "use the format core", "--wallet", "odd", "--format", "account-map")
	e.run(0, "export", "--wallet", "odd", "--format", "core")

	// Nothing is overwritten, and nothing written beside what is there.
	check(t, os.RemoveAll(filepath.Join(to, "odd")))
	file := filepath.Join(to, "savings", "core.json")
	check(t, os.WriteFile(file, []byte("mine"), 0o600))
	says(1, "already exists: "+filepath.Join(to, "savings")+"; nothing was written", "--to", to)
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file is %q now: %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(to, "odd")); err == nil {
		t.Error("a wallet was written after all")
	}
	// A link is there already, too, wherever it leads.
	check(t, os.Symlink(t.TempDir(), filepath.Join(to, "odd")))
	says(1, "already exists", "--to", to, "--wallet", "odd")

	// Without the node, Core is to look through the whole chain.
	node.Stop(t)
	says(0, `"timestamp": 0`, "--wallet", "savings", "--format", "core")
	out, err := e.command("export", "--wallet", "savings", "--format", "core").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "core.json makes Bitcoin Core rescan the whole chain") {
		t.Errorf("%v\n%s", err, out)
	}
}
