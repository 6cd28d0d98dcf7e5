package system

import (
	"archive/zip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// vaultOfThree returns the descriptor of a multisig wallet that requires the signatures
// of two of three devices.
func vaultOfThree(t *testing.T) string {
	t.Helper()
	return kinds(t)["Vault 2/3"]
}

// device creates a wallet on the node that signs for the vault with the key number n, and
// returns its name.
func device(t *testing.T, node *testkit.Node, n int) string {
	t.Helper()
	public, private := testkit.Key(t, n)
	one := strings.Replace(vaultOfThree(t), public, private, 1)
	name := fmt.Sprint("device ", n)
	node.Signer(t, name, strings.ReplaceAll(one, "<0;1>", "0"), strings.ReplaceAll(one, "<0;1>", "1"))
	return name
}

// ask makes a request as the admin, and fails the test if the response does not have the
// given status.
func (e *exporter) ask(status int, method, path string, body, out any) {
	e.t.Helper()
	if got := call(e.t.Context(), method, e.url+"/api/v1/"+path, e.token, body, out); got != status {
		e.t.Fatalf("%s %s: status %d, want %d\n%s", method, path, got, status, e.log)
	}
}

// start starts the server and creates a token with all scopes.
func (e *exporter) start() {
	e.t.Helper()
	e.env = append(e.env, "SPECTER_ADMINS_ADD_MEMBERS=true")
	e.serve()
	var made madeToken
	order := map[string]any{"description": "everything", "lifetime": "1 hour", "scopes": []string{
		"wallets:read", "wallets:write", "addresses:write", "proposals:read", "proposals:create", "proposals:sign", "proposals:broadcast", "members:write", "users:read", "users:write",
	}}
	if status := call(e.t.Context(), http.MethodPost, e.url+"/api/v1/tokens", "", order, &made); status != http.StatusCreated {
		e.t.Fatalf("status %d\n%s", status, e.log)
	}
	e.token = made.Secret
}

// sign signs a proposal of the vault with a device, and returns the status of the
// proposal.
func (e *exporter) sign(node *testkit.Node, id, device string) (status string) {
	e.t.Helper()
	var p struct {
		Status string
		PSBT   []byte
	}
	e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23/proposals/"+id, nil, &p)
	signed := base64.StdEncoding.EncodeToString(node.Sign(e.t, p.PSBT, device))
	e.ask(http.StatusOK, http.MethodPost, "wallets/vault_23/proposals/"+id+"/signatures", map[string]string{"psbt": signed}, &p)
	return p.Status
}

// propose creates a proposal of the vault, and returns its id.
func (e *exporter) propose(sat int) string {
	e.t.Helper()
	var p struct{ ID string }
	e.ask(http.StatusCreated, http.MethodPost, "wallets/vault_23/proposals", map[string]any{
		"recipients":      []map[string]any{{"address": "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x", "amount_sat": sat, "label": "rent"}},
		"fee_rate_sat_vb": 5,
	}, &p)
	return p.ID
}

// live creates users, wallets with history and labels, a frozen UTXO, and a proposal with
// one of two signatures, whose id it returns.
func (e *exporter) live() (proposal string) {
	t, vault := e.t, "wallets/vault_23"
	t.Helper()
	alice := map[string]any{"name": "alice", "password": testPassword}
	if status := call(t.Context(), http.MethodPost, e.url+"/api/v1/users", "", alice, nil); status != http.StatusCreated {
		t.Fatalf("status %d\n%s", status, e.log)
	}
	e.ask(http.StatusCreated, http.MethodPost, "wallets", map[string]any{"name": "Vault 2/3", "descriptor": vaultOfThree(t), "birthday": 5}, nil)
	e.ask(http.StatusCreated, http.MethodPost, "wallets", map[string]any{"name": "Savings", "descriptor": savings, "birthday": 5}, nil)
	e.ask(http.StatusCreated, http.MethodPut, vault+"/members/alice", map[string]any{"role": "viewer"}, nil)
	for i := range 4 {
		var address struct{ Address string }
		e.ask(http.StatusCreated, http.MethodPost, vault+"/addresses", map[string]any{"label": fmt.Sprint("Rechnung ", i)}, &address)
		if i < 3 {
			e.node.CLI(t, "generatetoaddress", 1, address.Address)
		}
	}
	e.node.Mine(t, 101)
	e.node.CLI(t, "setmocktime", 0)
	e.settles("vault_23")
	first := e.propose(1_000_000)
	for n := range 2 {
		e.sign(e.node, first, device(t, e.node, n))
	}
	e.ask(http.StatusOK, http.MethodPost, vault+"/proposals/"+first+"/broadcast", nil, nil)
	e.node.Mine(t, 1)
	e.settles("vault_23")
	var utxos struct {
		Items []struct {
			Txid string
			Vout int
		}
	}
	e.ask(http.StatusOK, http.MethodGet, vault+"/utxos", nil, &utxos)
	e.ask(http.StatusNoContent, http.MethodPut, fmt.Sprintf("%s/utxos/%s:%d/freeze", vault, utxos.Items[0].Txid, utxos.Items[0].Vout), nil, nil)
	proposal = e.propose(2_000_000)
	if status := e.sign(e.node, proposal, "device 0"); status != "partially_signed" {
		t.Errorf("the proposal is %s", status)
	}
	e.settles("savings")
	e.locks()
	return proposal
}

// setPastTime sets the clock of a new node back by an hour; live resets it. A block must be
// later than the median of the blocks before it, so blocks mined in quick succession would
// otherwise have times in the future. Histories are ordered by the time when the node
// received a transaction, and another node uses the time of the block instead.
func setPastTime(t *testing.T, node *testkit.Node) {
	t.Helper()
	node.CLI(t, "setmocktime", time.Now().Add(-time.Hour).Unix())
}

// locks waits until, in the index, exactly the reserved and the frozen UTXOs are locked.
func (e *exporter) locks() {
	e.t.Helper()
	testkit.Eventually(e.t, "locks in the index", func() bool {
		var utxos struct {
			Items []struct{ Reserved, Frozen, Locked bool }
		}
		e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23/utxos", nil, &utxos)
		for _, c := range utxos.Items {
			if c.Locked != (c.Reserved || c.Frozen) {
				return false
			}
		}
		return true
	})
}

// seen returns all data of users and wallets that the admin can read, as JSON.
func (e *exporter) seen() string {
	e.t.Helper()
	var all []any
	for _, path := range []string{
		"wallets", "wallets/vault_23/addresses", "wallets/vault_23/utxos", "wallets/vault_23/members", "wallets/vault_23/proposals",
		"wallets/vault_23/transactions", "wallets/savings/addresses", "users",
	} {
		var v any
		e.ask(http.StatusOK, http.MethodGet, path, nil, &v)
		all = append(all, path, v)
	}
	all = append(all, e.labels("vault_23", ""))
	text, err := json.MarshalIndent(all, "", " ")
	testkit.Check(e.t, err)
	// The time when a node's wallet first saw a transaction depends on the node.
	return regexp.MustCompile(`"(time|received_at|at)": "[^"]*"`).ReplaceAllString(string(text), `"$1": "…"`)
}

// chainOf returns a new node with the blocks of another and no wallets.
func chainOf(t *testing.T, node *testkit.Node) *testkit.Node {
	t.Helper()
	other := testkit.Bitcoind(t)
	var height int
	testkit.Check(t, json.Unmarshal(node.CLI(t, "getblockcount"), &height))
	for i := 1; i <= height; i++ {
		var hash, block string
		testkit.Check(t, json.Unmarshal(node.CLI(t, "getblockhash", i), &hash))
		testkit.Check(t, json.Unmarshal(node.CLI(t, "getblock", hash, 0), &block))
		other.CLI(t, "submitblock", block)
	}
	return other
}

// TestRestore_AnotherNode restores a backup on another machine with a node that does not have
// the wallets, and compares all data.
func TestRestore_AnotherNode(t *testing.T) {
	type place []string // the settings for the database
	sqlite := func(*testing.T) place { return nil }
	postgres := func(t *testing.T) place {
		return place{"SPECTER_DATABASE_URL=" + testkit.Postgres(t), "SECRET_KEY=" + strings.Repeat(fmt.Sprint(len(t.Name())%10), 64)}
	}
	for name, engines := range map[string][2]func(*testing.T) place{
		"SQLite":               {sqlite, sqlite},
		"PostgreSQL":           {postgres, postgres},
		"SQLite to PostgreSQL": {sqlite, postgres},
		"PostgreSQL to SQLite": {postgres, sqlite},
	} {
		if !strings.Contains(name, " to ") && !testkit.Long() { // both steps are covered by the other cases
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Bitcoind(t)
			setPastTime(t, node)
			node.Mine(t, 7)
			e := &exporter{t: t, dir: t.TempDir(), env: append(engines[0](t), nodeSettings(node)...), node: node}
			e.start()
			proposal := e.live()
			file := filepath.Join(t.TempDir(), "backup.zip")
			before := e.seen()
			e.backUpWhileWriting(file)
			oldKey := e.env
			e.kill()

			there := engines[1](t)
			if len(there) > 0 {
				there[1] = "SECRET_KEY=" + testKey
			}
			other := chainOf(t, node)
			node.Stop(t)
			old := e.token
			e.dir, e.node, e.env = filepath.Join(t.TempDir(), "new"), other, append(slices.Clone(there), nodeSettings(other)...)
			if len(there) > 0 && strings.HasPrefix(oldKey[0], "SPECTER_DATABASE_URL=") {
				given := e.env
				e.env = append(slices.Clone(given), oldKey[1])
				if out := e.run(1, "restore", file); !strings.Contains(out, "another key") {
					t.Errorf("with the old key, the output is %s", out)
				}
				e.env = given
			}
			if out := e.run(0, "restore", "--check", file); !strings.Contains(out, "is an intact backup") || !strings.Contains(out, "2 wallets, 4 transactions, 2 proposals") {
				t.Errorf("the output of --check is %s", out)
			}
			out := e.run(0, "restore", file)
			for _, want := range []string{`users +2, .*"admin", "alice"`, `wallets +2: .*"Vault 2/3"`, `"admin": \d+ \(.*"everything".*\)`, `proposals +1 are open`, "signing key (a new one|the one from)"} {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("no match for %s in\n%s", want, out)
				}
			}
			if out := e.run(1, "restore", file); !strings.Contains(out, "empty") {
				t.Errorf("the second time, the output is %s", out)
			}
			e.start()
			if status := call(t.Context(), http.MethodGet, e.url+"/api/v1/tokens/self", old, nil, nil); status != http.StatusUnauthorized {
				t.Errorf("the old token: status %d", status)
			}
			// Until the indexer notices that the node lacks the wallets, they are as in the backup.
			testkit.Eventually(t, "rescans of both wallets", func() bool { return strings.Count(e.log.String(), `"rescan finished"`) == 2 })
			e.settles("vault_23")
			e.settles("savings")
			e.locks()
			if diff := cmp.Diff(before, e.seen()); diff != "" {
				t.Error(diff)
			}
			e.descriptorsWork(file)
			if status := e.sign(other, proposal, device(t, other, 2)); status != "complete" {
				t.Errorf("the proposal is %s", status)
			}
			e.ask(http.StatusOK, http.MethodPost, "wallets/vault_23/proposals/"+proposal+"/broadcast", nil, nil)
			other.Mine(t, 1)
			testkit.Eventually(t, "the proposal to be confirmed", func() bool {
				var p struct{ Status string }
				e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23/proposals/"+proposal, nil, &p)
				return p.Status == "confirmed"
			})
			if out := e.run(0, "audit", "verify"); !strings.Contains(out, "none is missing or altered") {
				t.Errorf("the audit log: %s", out)
			}
			if out := e.run(0, "audit", "list", "--action", "backup.restore"); !strings.Contains(out, "backup.zip") {
				t.Errorf("the audit log: %s", out)
			}
			if out := e.run(0, "doctor"); !strings.Contains(out, "all match Bitcoin Core (2 wallets)") || !regexp.MustCompile("warning +backups +there is no backup; run specterd backup").MatchString(out) {
				t.Errorf("the output of doctor is %s", out)
			}
			// The restored database can be backed up.
			e.run(0, "backup")
			if out := e.run(0, "doctor"); !regexp.MustCompile("ok +backups +the newest is from ").MatchString(out) {
				t.Errorf("the output of doctor is %s", out)
			}
		})
	}
}

// TestRestore_BroadcastAfterBackup restores a backup with a node that has later transactions,
// and checks that a proposal that was broadcast after the backup is then shown as confirmed.
func TestRestore_BroadcastAfterBackup(t *testing.T) {
	t.Parallel()
	node := testkit.Bitcoind(t)
	setPastTime(t, node)
	node.Mine(t, 7)
	e := &exporter{t: t, dir: t.TempDir(), env: nodeSettings(node), node: node}
	e.start()
	proposal := e.live()
	file := filepath.Join(t.TempDir(), "backup.zip")
	e.run(0, "backup", file)
	if status := e.sign(node, proposal, "device 1"); status != "complete" {
		t.Errorf("the proposal is %s", status)
	}
	e.ask(http.StatusOK, http.MethodPost, "wallets/vault_23/proposals/"+proposal+"/broadcast", nil, nil)
	var address struct{ Address string }
	e.ask(http.StatusCreated, http.MethodPost, "wallets/vault_23/addresses", map[string]any{}, &address)
	node.CLI(t, "generatetoaddress", 1, address.Address)
	e.ask(http.StatusCreated, http.MethodPost, "wallets", map[string]any{"name": "Later", "descriptor": strings.ReplaceAll(savings, "<0;1>", "7/<0;1>"), "birthday": "now"}, nil)
	e.settles("vault_23")
	var before, after struct{ Balances any }
	e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23", nil, &before)
	e.kill()

	e.dir = t.TempDir()
	e.run(0, "restore", file)
	e.start()
	e.settles("vault_23")
	testkit.Eventually(t, "the proposal to be confirmed", func() bool {
		var p struct{ Status string }
		e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23/proposals/"+proposal, nil, &p)
		return p.Status == "confirmed"
	})
	e.ask(http.StatusOK, http.MethodGet, "wallets/vault_23", nil, &after)
	if diff := cmp.Diff(before.Balances, after.Balances); diff != "" {
		t.Error(diff)
	}
	// An address that was revealed after the backup and paid to is not revealed again.
	var next struct{ Address string }
	e.ask(http.StatusCreated, http.MethodPost, "wallets/vault_23/addresses", map[string]any{}, &next)
	if next.Address == address.Address {
		t.Error("an address that was paid to is revealed again")
	}
	e.ask(http.StatusNotFound, http.MethodGet, "wallets/later", nil, nil)
	if !strings.Contains(string(node.CLI(t, "listwallets")), "specterd-") {
		t.Error("Core has no wallets")
	}
}

// TestRestore_Killed kills a restore at various points. Afterwards, either the restore is
// complete, or no other command starts on the incomplete data and running the restore again
// completes it.
func TestRestore_Killed(t *testing.T) {
	t.Parallel()
	from := t.TempDir()
	initialize(t, from, "SPECTER_ADMIN_PASSWORD="+testPassword)
	file := filepath.Join(t.TempDir(), "backup.zip")
	testkit.Check(t, tool(t, from, "backup", file).Run())
	whole, broken := 0, 0
	begin := time.Now()
	testkit.Check(t, tool(t, filepath.Join(t.TempDir(), "undisturbed"), "restore", file).Run())
	took := time.Since(begin)
	for i := 0; whole == 0; i++ {
		dir := filepath.Join(t.TempDir(), "new")
		cmd := tool(t, dir, "restore", file)
		testkit.Check(t, cmd.Start())
		timer := time.AfterFunc(time.Duration(i)*took/20, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		list := func() (string, error) {
			// A new database would have the default password.
			out, err := tool(t, dir, "user", "list").CombinedOutput()
			return string(out), err
		}
		if _, err := os.Stat(filepath.Join(dir, "in-use")); err == nil {
			if out, err := list(); err == nil {
				whole++
				if strings.Contains(out, "default password") {
					t.Fatalf("after %d a new database was created: %s", i, out)
				}
				continue
			} else if !strings.Contains(out, "restore") {
				t.Fatalf("after %d: %s", i, out)
			}
		}
		broken++
		if out, err := tool(t, dir, "restore", file).CombinedOutput(); err != nil {
			t.Fatalf("after %d, again: %s", i, out)
		}
		if out, err := list(); err != nil || strings.Contains(out, "default password") {
			t.Fatalf("after %d, again: %s", i, out)
		}
	}
	if broken == 0 {
		t.Error("no restore was interrupted")
	}
}

// backUpWhileWriting makes a backup while tokens are created and deleted.
func (e *exporter) backUpWhileWriting(file string) {
	t := e.t
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	wrote := make(chan struct{}, 1)
	writing.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			var made madeToken
			call(ctx, http.MethodPost, e.url+"/api/v1/tokens", "", map[string]any{"description": fmt.Sprint(i), "lifetime": "1 hour"}, &made)
			call(ctx, http.MethodDelete, e.url+"/api/v1/tokens/"+made.ID, "", nil, nil)
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
	})
	<-wrote
	if out := e.run(0, "backup", file); !strings.Contains(out, "Wrote "+file) {
		t.Errorf("the output is %s", out)
	}
	if out := e.run(1, "backup", file); !strings.Contains(out, "already exists") {
		t.Errorf("the second time, the output is %s", out)
	}
	info, err := os.Stat(file)
	testkit.Check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
}

// descriptorsWork checks that Bitcoin Core computes the same balance from descriptors.txt
// alone.
func (e *exporter) descriptorsWork(file string) {
	t := e.t
	t.Helper()
	archive, err := zip.OpenReader(file)
	testkit.Check(t, err)
	defer func() { testkit.Check(t, archive.Close()) }()
	in, err := archive.Open("descriptors.txt")
	testkit.Check(t, err)
	text, err := io.ReadAll(in)
	testkit.Check(t, err)
	for _, part := range strings.Split(string(text), "\nWallet      ")[1:] {
		request := regexp.MustCompile(`importdescriptors '(.*)'`).FindStringSubmatch(part)
		from := regexp.MustCompile(`rescanblockchain (\d+)`).FindStringSubmatch(part)
		if request == nil || from == nil || !strings.Contains(part, `"admin" (owner)`) || !strings.Contains(part, "/<0;1>/*") {
			t.Fatalf("descriptors.txt has %s", part)
		}
		if !strings.HasPrefix(part, `"Vault 2/3"`) {
			continue
		}
		e.node.CLI(t, "createwallet", "by hand", true, true)
		result := e.node.WalletCLI(t, "by hand", "importdescriptors", json.RawMessage(request[1]))
		if strings.Contains(string(result), `"success":false`) {
			t.Errorf("Core says %s", result)
		}
		e.node.WalletCLI(t, "by hand", "rescanblockchain", json.RawMessage(from[1]))
		var balances struct{ Mine struct{ Trusted json.Number } }
		testkit.Check(t, json.Unmarshal(e.node.WalletCLI(t, "by hand", "getbalances"), &balances))
		if !strings.HasPrefix(balances.Mine.Trusted.String(), "149.98") {
			t.Errorf("Core has %s", balances.Mine.Trusted)
		}
	}
}

// TestScheduledBackups checks that the server makes backups when they are due, including
// after a restart, and that it continues serving if a backup fails.
func TestScheduledBackups(t *testing.T) {
	for name, env := range map[string][]string{
		"SQLite":     nil,
		"PostgreSQL": {"SPECTER_DATABASE_URL=" + testkit.Postgres(t), "SECRET_KEY=" + testKey},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, folder := t.TempDir(), filepath.Join(t.TempDir(), "not yet", "there")
			env := append(env, "SPECTER_BACKUP_EVERY=24h", "SPECTER_BACKUP_KEEP=2", "SPECTER_BACKUP_FOLDER="+folder)
			there := func() []string {
				found, err := filepath.Glob(filepath.Join(folder, "specterd-backup-*Z.zip"))
				testkit.Check(t, err)
				return found
			}
			s := startServer(t, dir, env...)
			testkit.Eventually(t, "the first backup", func() bool { return len(there()) == 1 && strings.Contains(s.log.String(), "backup made") })
			s.kill()
			first := there()[0]
			s = startServer(t, dir, env...)
			testkit.Eventually(t, "response of the server", func() bool {
				return call(t.Context(), http.MethodGet, s.url+"/api/v1/users/me", "", nil, nil) == http.StatusOK
			})
			s.kill()
			if now := there(); len(now) != 1 || now[0] != first {
				t.Errorf("after a restart, the files are %v", now)
			}
			for days := 1; days <= 3; days++ { // backups with an older time in the name
				at := time.Now().Add(-time.Duration(days) * 25 * time.Hour).UTC().Format("20060102T150405Z")
				text, err := os.ReadFile(first)
				testkit.Check(t, err)
				testkit.Check(t, os.WriteFile(filepath.Join(folder, "specterd-backup-"+at+".zip"), text, 0o600))
			}
			testkit.Check(t, os.Remove(first))
			s = startServer(t, dir, env...)
			testkit.Eventually(t, "one is made and two are deleted", func() bool {
				now := there()
				return len(now) == 2 && strings.Contains(s.log.String(), "backup made")
			})
			testkit.Check(t, tool(t, dir, "restore", "--check", there()[1]).Run())
			s.kill()

			// If the directory cannot be created, as on a full disk, the failure is logged.
			testkit.Check(t, os.RemoveAll(folder))
			testkit.Check(t, os.WriteFile(folder, nil, 0o600))
			s = startServer(t, dir, env...)
			testkit.Eventually(t, "the failure is logged", func() bool { return strings.Contains(s.log.String(), "scheduled backup failed") })
			if status := call(t.Context(), http.MethodGet, s.url+"/api/v1/users/me", "", nil, nil); status != http.StatusOK {
				t.Errorf("status %d", status)
			}
		})
	}
}
