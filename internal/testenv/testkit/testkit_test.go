package testkit_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/specterd/specterd/internal/testenv/regtest"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	first, second := open(t, testkit.Postgres(t)), open(t, testkit.Postgres(t))

	if _, err := first.Exec("CREATE TABLE greeting (text TEXT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Exec("SELECT * FROM greeting"); err == nil {
		t.Error("a table of one test's database is in another's")
	}
	var encoding, connections string
	if err := first.QueryRow("SHOW server_encoding").Scan(&encoding); err != nil || encoding != "UTF8" {
		t.Errorf("encoding %s, %v", encoding, err)
	}
	if err := first.QueryRow("SHOW max_connections").Scan(&connections); err != nil || connections != "200" {
		t.Errorf("max_connections %s, %v", connections, err)
	}
}

func TestPostgres_DropsDatabase(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "PostgreSQL")
	var address string
	t.Run("a test", func(t *testing.T) {
		address = testkit.Postgres(t)
		if err := open(t, address).Ping(); err != nil {
			t.Fatal(err)
		}
	})
	if err := open(t, address).Ping(); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("the database is still there: %v", err)
	}
}

func TestBitcoind(t *testing.T) {
	t.Parallel()
	node := testkit.Bitcoind(t)
	node.CLI(t, "createwallet", "w")
	node.Mine(t, 1)
	node.Stop(t)
	node.Start(t)
	node.Kill()
	node.Start(t)
	node.CLI(t, "getbestblockhash")
	node.CLI(t, "loadwallet", "w")
	if info := node.WalletCLI(t, "w", "getwalletinfo"); !strings.Contains(string(info), `"walletname":"w"`) {
		t.Errorf("getwalletinfo: %s", info)
	}
}

func TestFindBinary_SameAsScript(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "bitcoind")
	found, err := regtest.FindBinary(t.Context())
	if err != nil {
		t.Fatalf("%v: run make test-deps", err)
	}
	printed, err := exec.CommandContext(t.Context(), "../../../scripts/bitcoind.sh", "--no-fetch").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(printed)); got != found {
		t.Errorf("the script prints %s, FindBinary finds %s", got, found)
	}
}

// ownerVariable is the environment variable that makes TestOwner act as the process
// to be killed.
const ownerVariable = "TESTKIT_TEST_OWNER"

// TestOwner is a helper process of TestKilledTest_NothingLeft.
func TestOwner(t *testing.T) {
	if os.Getenv(ownerVariable) == "" {
		return
	}
	postgres, err := url.Parse(testkit.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	node := testkit.Bitcoind(t)
	fmt.Println("servers", postgres.Host, net.JoinHostPort(node.Host(), fmt.Sprint(node.Port())))
	select {}
}

func TestKilledTest_NothingLeft(t *testing.T) {
	t.Parallel()
	testkit.NeedsServer(t, "bitcoind and PostgreSQL")
	temp := t.TempDir()
	for dir := temp; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // PostgreSQL's user needs access
			t.Fatal(err)
		}
	}
	owner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOwner$")
	owner.Env = append(os.Environ(), ownerVariable+"=1", "TMPDIR="+temp)
	stdout, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	var servers []string
	for lines := bufio.NewScanner(stdout); servers == nil && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "servers "); ok {
			servers = strings.Fields(rest)
		}
	}
	if len(servers) != 2 {
		t.Fatalf("the servers did not start: %v", owner.Wait())
	}

	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()

	for _, address := range servers {
		testkit.Eventually(t, address+" is closed", func() bool {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				_ = connection.Close()
			}
			return err != nil
		})
	}
	testkit.Eventually(t, "their folders are gone", func() bool {
		entries, err := os.ReadDir(temp)
		return err == nil && len(entries) == 0 || errors.Is(err, os.ErrNotExist)
	})
}

func open(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
