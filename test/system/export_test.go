package system

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

// exported is the content of the files that the tests compare.
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

// exporter is a specterd installation: a data directory, a database and a node.
type exporter struct {
	t    *testing.T
	dir  string
	env  []string
	node *testkit.Node
	*server
	token string // the token of the admin
}

// serve starts the server and creates a token for the admin.
func (e *exporter) serve() {
	e.t.Helper()
	e.server = startServer(e.t, e.dir, e.env...)
	var made madeToken
	call(e.t.Context(), http.MethodPost, e.url+"/api/v1/tokens", "", map[string]any{"description": "export", "lifetime": "1 hour"}, &made)
	e.token = made.Secret
}

// command returns a specterd command with the admin's password and e.env in its
// environment.
func (e *exporter) command(args ...string) *exec.Cmd {
	e.t.Helper()
	cmd := tool(e.t, e.dir, args...)
	cmd.Env = append(append(cmd.Env, "SPECTER_ADMIN_PASSWORD="+testPassword), e.env...)
	return cmd
}

// run runs a command and returns its standard output, followed by standard error if status
// is not 0. The test fails if the command ends with another status.
func (e *exporter) run(status int, args ...string) string {
	e.t.Helper()
	out, err := e.command(args...).Output()
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got, out = exit.ExitCode(), append(out, exit.Stderr...)
	} else {
		testkit.Check(e.t, err)
	}
	if got != status || strings.Contains(string(out), "goroutine") {
		e.t.Errorf("%q: status %d, want %d\n%s", args, got, status, out)
	}
	return string(out)
}

// labels returns the labels of one of the admin's wallets as JSON Lines. If lines is not
// empty, it imports these labels instead, and returns the response.
func (e *exporter) labels(alias, lines string) string {
	e.t.Helper()
	method := http.MethodGet
	if lines != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+"/api/v1/wallets/"+alias+"/labels", strings.NewReader(lines))
	testkit.Check(e.t, err)
	req.Header.Set("Authorization", "Bearer "+e.token)
	req.Header.Set("Content-Type", "application/jsonl")
	resp, err := http.DefaultClient.Do(req)
	testkit.Check(e.t, err)
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	testkit.Check(e.t, err)
	if resp.StatusCode != http.StatusOK || strings.Contains(string(text), `"message"`) {
		e.t.Fatalf("labels of %s: status %d\n%s", alias, resp.StatusCode, text)
	}
	return string(text)
}

// settles waits until the admin's wallet is indexed up to the tip.
func (e *exporter) settles(alias string) {
	e.t.Helper()
	var height int
	testkit.Check(e.t, json.Unmarshal(e.node.CLI(e.t, "getblockcount"), &height))
	testkit.Eventually(e.t, alias+" to be ready", func() bool {
		var v struct {
			Status string
			AsOf   struct{ Height int } `json:"as_of"`
		}
		call(e.t.Context(), http.MethodGet, e.url+"/api/v1/wallets/"+alias, e.token, nil, &v)
		return v.Status == "ready" && v.AsOf.Height == height
	})
}

// read reads the exported files of a wallet, and checks that only their owner can read
// them.
func (e *exporter) read(folder string) (x exported) {
	e.t.Helper()
	for name, into := range map[string]any{"specter.json": &x.specter, "account-map.json": &x.account, "core.json": &x.core, "labels.jsonl": nil} {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		testkit.Check(e.t, err)
		if info.Mode().Perm() != 0o600 {
			e.t.Errorf("%s has mode %v", path, info.Mode())
		}
		text, err := os.ReadFile(path)
		testkit.Check(e.t, err)
		if into == nil {
			x.labels = string(text)
			continue
		}
		testkit.Check(e.t, json.Unmarshal(text, into))
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		e.t.Errorf("%s: %v, %v", folder, info.Mode(), err)
	}
	return x
}

// kinds returns descriptors of all script types that hardware wallets support, by wallet
// name.
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

// TestExport reads exported wallets with Bitcoin Core, specterd import, specterd wallet create
// and the import of labels, and compares the results.
func TestExport(t *testing.T) {
	databases := map[string][]string{"SQLite": nil}
	if testkit.Long() { // the tests of the API cover both engines
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
			testkit.Check(t, err)
			if len(entries) != len(aliases) {
				t.Errorf("exported %v, want %v", entries, aliases)
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

// makeWallets creates a wallet of each kind for the admin, with 50 BTC, labels and a frozen
// UTXO of another 50 BTC.
func (e *exporter) makeWallets() (aliases []string) {
	t := e.t
	t.Helper()
	utxos := map[string][]string{}
	for name, descriptor := range kinds(t) {
		var v, address struct{ Alias, Address string }
		if status := call(t.Context(), http.MethodPost, e.url+"/api/v1/wallets", e.token, map[string]any{"name": name, "descriptor": descriptor, "birthday": 5}, &v); status != http.StatusCreated {
			t.Fatalf("status %d\n%s", status, e.log)
		}
		aliases = append(aliases, v.Alias)
		for i := range 2 {
			order := map[string]any{"label": fmt.Sprintf("Miete %d für „März“ \\ \"x\"", i)}
			if status := call(t.Context(), http.MethodPost, e.url+"/api/v1/wallets/"+v.Alias+"/addresses", e.token, order, &address); status != http.StatusCreated {
				t.Fatalf("status %d\n%s", status, e.log)
			}
			var hashes []string
			testkit.Check(t, json.Unmarshal(e.node.CLI(t, "generatetoaddress", 1, address.Address), &hashes))
			var block struct{ Tx []string }
			testkit.Check(t, json.Unmarshal(e.node.CLI(t, "getblock", hashes[0]), &block))
			utxos[v.Alias] = append(utxos[v.Alias], block.Tx[0])
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
`, utxos[alias][0], utxos[alias][1]))
	}
	return aliases
}

// compareOutput checks that the command prints the same documents as it writes to files.
func (e *exporter) compareOutput(alias, folder string) {
	e.t.Helper()
	for format, name := range map[string]string{"specter": "specter.json", "account-map": "account-map.json", "core": "core.json", "labels": "labels.jsonl"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		testkit.Check(e.t, err)
		if got := e.run(0, "export", "--wallet", alias, "--format", format); got != string(want) {
			e.t.Errorf("format %s of %s is\n%s\nbut the file has\n%s", format, alias, got, want)
		}
	}
}

// compareLabels compares the exported labels with the API's, before and after importing
// them into another wallet.
func (e *exporter) compareLabels(alias string, x exported) {
	t := e.t
	t.Helper()
	if got := e.labels(alias, ""); got != x.labels || strings.Count(got, "\n") != 7 || strings.Count(got, `"spendable":false`) != 1 {
		t.Errorf("%s: the API returns the labels\n%s\nbut the file has\n%s", alias, got, x.labels)
	}
	if imported := e.labels(alias, x.labels); !strings.Contains(imported, `{"imported":7,"unchanged":true,"ignored":[],"failed":[]}`) {
		t.Errorf("%s: import of its own labels: %s", alias, imported)
	}
	if again := e.labels(alias, ""); again != x.labels {
		t.Errorf("%s: after the import of its own labels:\n%s", alias, again)
	}
	if len(x.specter.Frozen) != 1 || !strings.Contains(x.labels, `"ref":"`+x.specter.Frozen[0]+`","spendable":false`) {
		t.Errorf("%s: frozen %v, labels\n%s", alias, x.specter.Frozen, x.labels)
	}
	if len(x.specter.Labels) != 3 || len(x.specter.Labels["the landlord"]) != 2 {
		t.Errorf("%s: Specter Desktop would have the labels %v", alias, x.specter.Labels)
	}
}

// intoCore imports core.json into an empty wallet of Bitcoin Core, as the help describes, and
// compares addresses and balance.
func (e *exporter) intoCore(name string, x exported) {
	t := e.t
	t.Helper()
	e.node.CLI(t, "createwallet", name, true, true)
	var results []struct {
		Success  bool
		Warnings []string
	}
	testkit.Check(t, json.Unmarshal(e.node.WalletCLI(t, name, "importdescriptors", x.core), &results))
	if len(results) != 2 || !results[0].Success || !results[1].Success || len(results[0].Warnings)+len(results[1].Warnings) > 0 {
		t.Errorf("%s: %+v", name, results)
	}
	var balances struct{ Mine struct{ Trusted json.Number } }
	testkit.Check(t, json.Unmarshal(e.node.WalletCLI(t, name, "getbalances"), &balances))
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
		testkit.Check(t, json.Unmarshal(e.node.WalletCLI(t, name, method, params...), &address))
		if address != want || want == "" {
			t.Errorf("%s: the next address by %s is %s in Core, but %s in specterd", name, method, address, want)
		}
	}
	var requests []struct {
		Timestamp int64
		Range     []int
	}
	testkit.Check(t, json.Unmarshal(x.core, &requests))
	var hash string
	var header struct{ Time int64 }
	testkit.Check(t, json.Unmarshal(e.node.CLI(t, "getblockhash", x.specter.BlockHeight), &hash))
	testkit.Check(t, json.Unmarshal(e.node.CLI(t, "getblockheader", hash), &header))
	if requests[0].Timestamp != header.Time || requests[1].Timestamp != header.Time || requests[1].Range[1] != x.specter.Keypool-1 {
		t.Errorf("%s: %+v, but block %d has the time %d", name, requests, x.specter.BlockHeight, header.Time)
	}
}

// fromFiles creates the same wallet for another user from the descriptors in each file. An
// account map has only the descriptor of the receive branch.
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
	// Each command uses the descriptors of one file unchanged.
	var requests []struct{ Desc string }
	testkit.Check(t, json.Unmarshal(x.core, &requests))
	files := [][]string{{"--descriptor", x.account.Descriptor}}
	if len(x.specter.Devices) > 1 { // tested for one kind only, since all kinds have the same descriptor format
		files = append(
			files,
			[]string{"--descriptor", x.specter.Receive, "--change-descriptor", x.specter.Change},
			[]string{"--descriptor", requests[0].Desc, "--change-descriptor", requests[1].Desc},
			[]string{"--descriptor", btc.Multipath(x.specter.Receive, x.specter.Change)},
		)
	}
	for i, flags := range files {
		if i > 0 {
			e.run(0, "wallet", "rm", alias, "--yes", "--user", other)
		}
		out := e.run(0, append([]string{"wallet", "create", "--user", other, "--name", x.account.Label, "--birthday", fmt.Sprint(x.account.BlockHeight)}, flags...)...)
		if implied := "change addresses use the branch /1/*"; strings.Contains(out, implied) != (i == 0) {
			t.Errorf("%s of %q: %s", alias, flags, out)
		}
		shown := e.run(0, "wallet", "show", alias, "--user", other)
		for _, descriptor := range []string{x.specter.Receive, x.specter.Change} {
			if !strings.Contains(shown, " "+descriptor+"\n") {
				t.Errorf("%s of %q: no descriptor %s in\n%s", alias, flags, descriptor, shown)
			}
		}
	}
	if got := e.run(0, "export", "--user", other, "--wallet", alias, "--format", "labels"); got != "" {
		t.Errorf("%s: another user can read the labels\n%s", alias, got)
	}
}

// throughSpecter copies the files into a data directory of Specter Desktop, imports it into
// an empty specterd, and exports the wallets again.
func (e *exporter) throughSpecter(folder string, aliases []string) {
	t := e.t
	t.Helper()
	home := t.TempDir()
	testkit.Check(t, os.MkdirAll(filepath.Join(home, "wallets", "regtest"), 0o700))
	users := `[{"id": "admin", "username": "admin", "is_admin": true, "password": {"salt": "c2FsdA==", "pwdhash": "` + strings.Repeat("A", 43) + `="}}]`
	testkit.Check(t, os.WriteFile(filepath.Join(home, "users.json"), []byte(users), 0o600))
	for _, alias := range aliases {
		text, err := os.ReadFile(filepath.Join(folder, alias, "specter.json"))
		testkit.Check(t, err)
		testkit.Check(t, os.WriteFile(filepath.Join(home, "wallets", "regtest", alias+".json"), text, 0o600))
	}
	there := &exporter{t: t, dir: t.TempDir(), env: nodeSettings(e.node), node: e.node}
	cmd := there.command("import", home)
	cmd.Env = append(cmd.Env, "SPECTER_ADMIN_PASSWORD=admin") // the imported admin replaces the first admin
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "5 imported") {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd = there.command("user", "set", "admin", "--yes", "--password-stdin")
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
			testkit.Check(t, err)
			got, err := os.ReadFile(filepath.Join(again, alias, name))
			testkit.Check(t, err)
			if string(got) != string(want) {
				t.Errorf("%s of %s was\n%s\nbut is after the import\n%s", name, alias, want, got)
			}
		}
	}
}

// TestExport_Refusals checks errors for invalid flags, unsupported branches and existing files.
func TestExport_Refusals(t *testing.T) {
	node := testkit.Bitcoind(t)
	node.Mine(t, 7)
	e := &exporter{t: t, dir: t.TempDir(), env: nodeSettings(node), node: node}
	says := func(status int, want string, args ...string) {
		t.Helper()
		if out := e.run(status, append([]string{"export"}, args...)...); !strings.Contains(out, want) {
			t.Errorf("%q: no %q in\n%s", args, want, out)
		}
	}
	to := filepath.Join(t.TempDir(), "to")
	says(2, "is required, with FORMAT one of")
	says(2, "omit either", "--to", to, "--format", "core", "--wallet", "x")
	says(2, "--format requires --wallet", "--format", "core")
	says(2, "must be specter, account-map, labels, core, descriptor, bsms, bip388, coldcard, sparrow, caravan or crypto-output", "--format", "pdf", "--wallet", "x")
	says(1, "no database", "--to", to)
	initialize(t, e.dir, "SPECTER_ADMIN_PASSWORD="+testPassword)
	says(1, `user "zoe" not found`, "--to", to, "--user", "zoe")
	says(1, `user admin has no wallet with the alias "../../etc"`, "--to", to, "--wallet", "../../etc")
	says(0, "nothing was written", "--to", to)
	key, _ := testkit.Key(t, 0)
	e.run(0, "wallet", "create", "--name", "Savings", "--birthday", "now", "--descriptor", "wpkh("+key+"/<0;1>/*)")
	e.run(0, "wallet", "create", "--name", "Odd", "--birthday", "now", "--descriptor", "wpkh("+key+"/<2;3>/*)")
	if _, err := os.Stat(to); err == nil {
		t.Error("the directory was created")
	}

	const partial = "the export is PARTIAL"
	says(3, partial, "--to", to)
	for name, want := range map[string]string{"savings": "account-map.json bip388.json core.json crypto-output.txt descriptor.txt labels.jsonl sparrow.json specter.json wallet.bsms", "odd": "core.json crypto-output.txt descriptor.txt labels.jsonl"} {
		var got []string
		entries, err := os.ReadDir(filepath.Join(to, name))
		testkit.Check(t, err)
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the files %v, want %s", name, got, want)
		}
	}
	says(1, "use the format core", "--wallet", "odd", "--format", "account-map")
	e.run(0, "export", "--wallet", "odd", "--format", "core")

	// If a directory exists, nothing is written.
	testkit.Check(t, os.RemoveAll(filepath.Join(to, "odd")))
	file := filepath.Join(to, "savings", "core.json")
	testkit.Check(t, os.WriteFile(file, []byte("mine"), 0o600))
	says(1, "already exists: "+filepath.Join(to, "savings")+"; nothing was written", "--to", to)
	if text, err := os.ReadFile(file); err != nil || string(text) != "mine" {
		t.Errorf("the file was changed to %q: %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(to, "odd")); err == nil {
		t.Error("a wallet was written")
	}
	// A symbolic link counts as existing.
	testkit.Check(t, os.Symlink(t.TempDir(), filepath.Join(to, "odd")))
	says(1, "already exists", "--to", to, "--wallet", "odd")

	// Without the node, core.json requests a rescan of the whole chain.
	node.Stop(t)
	says(0, `"timestamp": 0`, "--wallet", "savings", "--format", "core")
	out, err := e.command("export", "--wallet", "savings", "--format", "core").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "core.json makes Bitcoin Core rescan the whole chain") {
		t.Errorf("%v\n%s", err, out)
	}
}
