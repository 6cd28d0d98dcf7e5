package system

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestTokenRevocation_AtAShell checks that a token deleted in an SQL shell is refused by the next
// request on each of many connections, whatever else happens to the SQLite database: the server
// notices the commit in memory that it shares with the shell (ADR 40).
func TestTokenRevocation_AtAShell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &shellTries{t: t, dir: dir, server: startServer(t, dir), usage: newUsage(t)}
	db, err := shell(t, dir).Conn(t.Context())
	testkit.Check(t, err)
	t.Cleanup(func() { _ = db.Close() })
	c.shell, c.other = db, shell(t, dir)
	made := c.server.token("of the shell")
	c.do(fmt.Sprintf("CREATE TEMP TABLE kept AS SELECT * FROM tokens WHERE token_id = '%[1]s'; DELETE FROM tokens WHERE token_id = '%[1]s'", made.ID))
	tries := testkit.Size(60, 10_000)
	for i := range tries {
		during := disturbances[i%len(disturbances)]
		if during.rare && i/len(disturbances)%every > 0 {
			during = disturbance{name: "nothing"}
		}
		c.try(made, during)
		if t.Failed() {
			t.Fatalf("in try %d, with %s", i, during.name)
		}
	}
	c.usage.report(fmt.Sprintf("of tokens that were deleted at a shell in %d tries", tries))
}

// every is the number of rounds of disturbances in which the rare ones happen once.
const every = 20

// disturbance is what happens to the database around the deletion of a token.
type disturbance struct {
	name          string
	rare          bool
	before, after func(*shellTries)
}

var disturbances = []disturbance{
	{name: "nothing"},
	{name: "a checkpoint before", before: func(c *shellTries) { c.do("PRAGMA wal_checkpoint(PASSIVE)") }},
	{name: "an emptied log before", before: func(c *shellTries) { c.do("PRAGMA wal_checkpoint(TRUNCATE)") }},
	{name: "an emptied log after", after: func(c *shellTries) { c.do("PRAGMA wal_checkpoint(TRUNCATE)") }},
	{name: "a restarted log after", after: func(c *shellTries) { c.do("PRAGMA wal_checkpoint(RESTART)") }},
	{name: "a reader of an old snapshot", before: func(c *shellTries) {
		tx, err := c.other.BeginTx(c.t.Context(), &sql.TxOptions{ReadOnly: true})
		testkit.Check(c.t, err)
		var n int
		testkit.Check(c.t, tx.QueryRowContext(c.t.Context(), "SELECT count(*) FROM tokens").Scan(&n))
		c.reader = tx
	}, after: func(c *shellTries) { testkit.Check(c.t, c.reader.Rollback()) }},
	{name: "a rollback before", before: func(c *shellTries) { c.do("BEGIN; DELETE FROM tokens; ROLLBACK") }},
	{name: "VACUUM before", rare: true, before: func(c *shellTries) { c.do("VACUUM") }},
	{name: "VACUUM after", rare: true, after: func(c *shellTries) { c.do("VACUUM") }},
	{name: "a killed writer before", rare: true, before: (*shellTries).killWriter},
	{name: "a killed writer after", rare: true, after: (*shellTries).killWriter},
	{name: "a killed server before", rare: true, before: (*shellTries).restart},
	{name: "a killed server after", rare: true, after: (*shellTries).restart},
}

// shellTries deletes a token again and again.
type shellTries struct {
	t      *testing.T
	dir    string
	server *server
	usage  *usage
	shell  *sql.Conn
	other  *sql.DB
	reader *sql.Tx
}

func (c *shellTries) do(query string) {
	c.t.Helper()
	_, err := c.shell.ExecContext(c.t.Context(), query)
	testkit.Check(c.t, err)
}

// try adds the token, uses it on all connections, deletes it, and uses it once more on all.
func (c *shellTries) try(made madeToken, during disturbance) {
	c.do("INSERT INTO tokens SELECT * FROM kept")
	if during.before != nil {
		during.before(c)
	}
	for range 2 { // the second time, from the cache
		c.all(made.Secret, http.StatusOK)
	}
	c.do(fmt.Sprintf("DELETE FROM tokens WHERE token_id = '%s'", made.ID))
	c.usage.refused.Add(int64(connections - c.all(made.Secret, http.StatusUnauthorized)))
	if during.after != nil {
		during.after(c)
		c.usage.refused.Add(int64(connections - c.all(made.Secret, http.StatusUnauthorized)))
	}
}

// all uses a token on all connections at once, and returns how many other statuses there are.
func (c *shellTries) all(secret string, want int) (others int) {
	statuses := make([]int, connections)
	var running sync.WaitGroup
	for i := range statuses {
		running.Go(func() { statuses[i] = c.usage.use(&c.usage.clients[i], c.server, secret) })
	}
	running.Wait()
	for i, status := range statuses {
		if status != want {
			c.t.Errorf("connection %d: status %d, and not %d", i, status, want)
			others++
		}
		if status == http.StatusOK && want != status {
			c.usage.accepted.Add(1)
		}
	}
	return others
}

// restart kills the server, whose log is then recovered, and starts another one.
func (c *shellTries) restart() {
	c.server.kill()
	c.server = startServer(c.t, c.dir)
}

// killWriter kills another process in a transaction that has already written to the log.
func (c *shellTries) killWriter() {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, writerCommand, c.dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	testkit.Check(c.t, err)
	testkit.Check(c.t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "written\n" {
		c.t.Errorf("the writer says %q: %v", line, err)
	}
	cancel() // kills it
	_ = cmd.Wait()
}

// writerCommand is a command of the test binary that writes to the database in a data directory,
// and waits before it commits.
const writerCommand = "write-and-wait"

func writeAndWait() {
	db, err := sql.Open("sqlite", databaseAt(os.Args[1]))
	if err == nil {
		db.SetMaxOpenConns(1)
		_, err = db.Exec(`PRAGMA cache_size = 1; -- pages are then written before the commit
			BEGIN IMMEDIATE;
			DELETE FROM users;
			CREATE TABLE filler AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT hex(randomblob(200)) FROM n`)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("written")
	time.Sleep(time.Hour)
}
