package system

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestDoctor checks the output for a healthy server and for several problems.
func TestDoctor(t *testing.T) {
	t.Parallel()
	node, dir := testkit.Bitcoind(t, "-blockfilterindex=0"), t.TempDir()
	node.Mine(t, 1)
	testkit.Check(t, os.Chmod(dir, 0o700))
	examine := func(healthy bool, want ...string) {
		t.Helper()
		cmd := tool(t, dir, "doctor")
		cmd.Env = append(append(cmd.Env, "SPECTER_ADMIN_PASSWORD="+testPassword), nodeSettings(node)...)
		out, err := cmd.CombinedOutput()
		if (err == nil) != healthy {
			t.Errorf("healthy %v: %s", err == nil, out)
		}
		for _, line := range want {
			if !regexp.MustCompile(`(?m)^` + line).Match(out) {
				t.Errorf("no line %q in\n%s", line, out)
			}
		}
		if strings.Contains(string(out), testPassword) || strings.Contains(string(out), "goroutine") {
			t.Errorf("got\n%s", out)
		}
	}
	examine(false, "error +database +no database: .*specterd.db does not exist; specterd serve creates it at its first start.*; if you had one, restore it")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("doctor created %v, %v", entries, err)
	}

	startServer(t, dir, nodeSettings(node)...)
	initialize(t, dir, "SPECTER_ADMIN_PASSWORD="+testPassword)
	if out, err := walletTool(t, dir, node, "create", "--name", "Savings", "--descriptor", savings, "--birthday", "now").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	testkit.Eventually(t, "the wallet is ready", func() bool {
		out, err := walletTool(t, dir, node, "list").CombinedOutput()
		return err == nil && strings.Contains(string(out), "ready")
	})
	examine(true,
		"ok +settings", "ok +files", "ok +database +intact", "ok +signing key", "(ok|warning) +passwords +a login takes",
		`ok +audit +\d+ events`, "ok +node +.* on regtest, at block 1", "ok +clock", "warning +node .*set blockfilterindex=1", "ok +webhooks +0 active; deliveries pending: 0$", `ok +wallets +all match Bitcoin Core \(1 wallet\)$`)

	db, err := sql.Open("sqlite", filepath.Join(dir, "specterd.db"))
	testkit.Check(t, err)
	defer func() { testkit.Check(t, db.Close()) }()
	do := func(statement string) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000; "+statement)
		testkit.Check(t, err)
	}
	testkit.Eventually(t, "audit events to be sealed", func() bool {
		var unsealed int
		testkit.Check(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM audit WHERE chain_position IS NULL").Scan(&unsealed))
		return unsealed == 0
	})
	do(`INSERT INTO webhooks (webhook_id, user_id, token_id, scopes, description, url, host, ordering, events_until, created_at, disabled_at, disabled_reason)
		SELECT 'hook', user_id, '', '', 'shop', 'https://shop.example', 'shop.example', 'wallet', 0, 0, 1, 'failing' FROM users`)
	do("UPDATE audit SET user_name = 'mallory' WHERE audit_id = 1")
	do("UPDATE addresses SET address = 'bcrt1qother' WHERE branch = 0 AND address_index = 0")
	testkit.Check(t, os.Chmod(filepath.Join(dir, "secret_key"), 0o644))
	examine(false,
		"warning +webhooks +disabled: 1; failing: 0; list them with specterd webhook list",
		"warning +files .*chmod go= .*secret_key", "error +audit +the audit log was altered",
		`error +wallets +"Savings": its first address is bcrt1qother in the database, but Bitcoin Core derives`)
	node.Stop(t)
	examine(false, "error +node +the Bitcoin node's cookie file does not exist")
	testkit.Check(t, os.WriteFile(filepath.Join(dir, "secret_key"), []byte(strings.Repeat("0", 64)), 0o600))
	examine(false, "error +signing key")
}
