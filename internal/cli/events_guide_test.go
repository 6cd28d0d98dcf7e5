package cli

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// eventsGuide runs the code blocks of docs/events.md.
type eventsGuide struct {
	t           *testing.T
	node        *testkit.Node
	environment []string
	dir         string // of the shop

	stream, token, shop, invoice, follow, curl string // code blocks
}

// TestEventsGuide runs the code blocks of docs/events.md against a server whose payments
// are confirmed, reorganized and replaced while the shop runs or does not run.
func TestEventsGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	for _, program := range []string{"bash", "curl", "jq", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; run make test-deps", err)
		}
	}
	g := &eventsGuide{t: t, node: testkit.Bitcoind(t), dir: t.TempDir()}
	for i, block := range walkThroughBlocks(t, "docs/events.md", 6) {
		*[]*string{&g.stream, &g.token, &g.shop, &g.invoice, &g.follow, &g.curl}[i] = block[2]
	}
	g.environment = append(os.Environ(), serveWalkThroughsOn(t, g.node)...)
	g.environment = append(g.environment, "WALLET=community_vault", "TOKEN="+g.output(g.token+`echo "$TOKEN"`))
	g.setFinalAfter(2)
	testkit.Check(t, os.WriteFile(filepath.Join(g.dir, "shop.py"), []byte(g.shop), 0o600))

	g.checkShop()
	g.checkPrunedPosition()
	g.checkCurl()
	g.checkStream()
	g.checkExample()
}

// checkShop pays an invoice in two parts, one of them while the shop does not run, and
// then removes the payments from the chain.
func (g *eventsGuide) checkShop() {
	address := g.output(g.invoice)
	shop := g.start(g.follow)
	g.eventually("the shop has a position", "SELECT count(*) FROM position", 1)
	began := time.Now()
	first := g.pay(address, "0.0001")
	shop.waitFor("invoice 17: underpaid, 10000 of 25000 sat")
	if took := time.Since(began); took > testkit.Bar(time.Second) {
		g.t.Errorf("the shop saw the payment after %v", took)
	}
	g.t.Logf("from sendtoaddress to the shop: %v", time.Since(began))

	shop.kill()
	second := g.pay(address, "0.00015")
	shop = g.start(g.follow)
	shop.waitFor("invoice 17: seen, 25000 of 25000 sat")
	block := g.node.Mine(g.t, 1)[0]
	g.eventually("both payments are confirmed", "SELECT count(*) FROM invoices JOIN payments USING (address) WHERE status = 'confirmed'", 2)
	g.eventually("the invoice is not paid", "SELECT count(*) FROM invoices WHERE state = 'seen'", 1)
	shop.kill()
	g.node.Mine(g.t, 1)
	shop = g.start(g.follow)
	shop.waitFor("invoice 17: paid, 25000 of 25000 sat")

	g.node.CLI(g.t, "invalidateblock", block)
	shop.waitFor("invoice 17: seen, 25000 of 25000 sat")
	g.spendAgain(first, second)
	shop.waitFor("invoice 17: open, 0 of 25000 sat")
	g.node.Mine(g.t, 4)
	g.eventually("the payments are conflicted", "SELECT count(*) FROM invoices JOIN payments USING (address) WHERE status = 'conflicted'", 2)
	g.eventually("the invoice is open", "SELECT count(*) FROM invoices WHERE state = 'open'", 1)
	shop.kill()
	if n := strings.Count(shop.log.String(), ": paid,"); n != 1 {
		g.t.Errorf("the invoice was paid %d times:\n%s", n, shop.log.String())
	}
}

// checkPrunedPosition starts the shop with a position that the server refuses with 410,
// after a payment.
func (g *eventsGuide) checkPrunedPosition() {
	address := g.output(strings.Replace(g.invoice, "invoice 17", "invoice 19", 1))
	g.pay(address, "0.0003")
	g.node.Mine(g.t, 2)
	testkit.Check(g.t, g.inShop(func(db *sql.DB) error {
		_, err := db.ExecContext(g.t.Context(), "UPDATE position SET id = '1000000'")
		return err
	}))
	shop := g.start(g.follow)
	shop.waitFor("invoice 19: paid, 30000 of 25000 sat")
	g.eventually("the shop has a new position", "SELECT count(*) FROM position WHERE CAST(id AS INTEGER) < 1000000", 1)
	address = g.output(strings.Replace(g.invoice, "invoice 17", "invoice 20", 1))
	g.pay(address, "0.00025")
	shop.waitFor("invoice 20: seen, 25000 of 25000 sat")
	shop.kill()
	if text := shop.log.String(); strings.Contains(text, "invoice 17") {
		g.t.Errorf("an invoice has changed without a payment:\n%s", text)
	}
}

// checkCurl pays the invoice of the shell script.
func (g *eventsGuide) checkCurl() {
	script := g.start(g.curl)
	address := regexp.MustCompile(`invoice 18: send 25000 sat to (\w+)\n`)
	script.waitFor("invoice 18: send")
	g.pay(address.FindStringSubmatch(script.log.String())[1], "0.00025")
	script.waitFor("invoice 18: received 25000 sat, 0 of them in blocks")
	g.node.Mine(g.t, 1)
	script.waitFor("invoice 18: received 25000 sat, 25000 of them in blocks\ninvoice 18: paid\n")
	<-script.process.Done()
	testkit.Check(g.t, script.process.Err())
}

// checkStream waits for a new event in the stream, after its position.
func (g *eventsGuide) checkStream() {
	stream := g.start(g.stream)
	stream.waitFor("id: ")
	g.output(g.invoice)
	stream.waitFor("\nevent: address.revealed\ndata: {")
}

// checkExample compares the fields of the example in the document with a real response.
func (g *eventsGuide) checkExample() {
	text, err := os.ReadFile("../../docs/events.md")
	testkit.Check(g.t, err)
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```\n").FindAllStringSubmatch(string(text), -1)
	if n := strings.Count(string(text), "\n```\n"); len(blocks) != 1 || n != 7 {
		g.t.Fatalf("docs/events.md has %d code blocks, of which %d are examples", n, len(blocks))
	}
	var example, page map[string]any
	testkit.Check(g.t, json.Unmarshal([]byte(blocks[0][1]), &example))
	testkit.Check(g.t, json.Unmarshal([]byte(g.output(
		`curl -sS -H "Authorization: Bearer $TOKEN" "$URL/api/v1/wallets/$WALLET/events?kinds=transaction.confirmed"`)), &page))
	want := fieldsOf(example)
	for _, item := range page["items"].([]any) {
		page["items"] = []any{item}
		if reflect.DeepEqual(fieldsOf(page), want) {
			return
		}
	}
	g.t.Errorf("no response has the fields of the example, which are %v", want)
}

// fieldsOf returns the names of the fields of JSON, and those of the fields in them.
func fieldsOf(value any) any {
	switch value := value.(type) {
	case map[string]any:
		fields := map[string]any{}
		for name := range maps.Keys(value) {
			fields[name] = fieldsOf(value[name])
		}
		return fields
	case []any:
		fields := make([]any, len(value))
		for i := range value {
			fields[i] = fieldsOf(value[i])
		}
		return fields
	}
	return nil
}

// output runs shell code, which must succeed, and returns its output.
func (g *eventsGuide) output(code string) string {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "bash", "-eu", "-c", code)
	cmd.Env, cmd.Dir = g.environment, g.dir
	var stderr testkit.Log
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// background is shell code that runs in the background.
type background struct {
	t       *testing.T
	process *childprocess.Process
	log     testkit.Log
}

// start runs shell code in the background. If it is one command, the shell is replaced by
// it, so that kill ends it.
func (g *eventsGuide) start(code string) *background {
	g.t.Helper()
	if strings.Count(code, "\n") == 1 {
		code = "exec " + code
	}
	cmd := exec.CommandContext(g.t.Context(), "bash", "-eu", "-c", code)
	cmd.Env, cmd.Dir = g.environment, g.dir
	b := &background{t: g.t}
	cmd.Stdout, cmd.Stderr = &b.log, &b.log
	var err error
	if b.process, err = childprocess.Start(cmd, "KILL"); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		b.kill()
		if g.t.Failed() {
			g.t.Logf("%s\nprinted\n%s", code, b.log.String())
		}
	})
	return b
}

func (b *background) kill() {
	b.process.Signal("KILL")
	<-b.process.Done()
}

// waitFor waits until the program has printed a text.
func (b *background) waitFor(text string) {
	b.t.Helper()
	testkit.Eventually(b.t, "the program prints "+text, func() bool { return strings.Contains(b.log.String(), text) })
}

// inShop calls do with the database of the shop.
func (g *eventsGuide) inShop(do func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(g.dir, "shop.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return do(db)
}

// eventually waits until a query in the database of the shop returns a number.
func (g *eventsGuide) eventually(what, query string, want int) {
	g.t.Helper()
	testkit.Check(g.t, g.inShop(func(db *sql.DB) error {
		testkit.Eventually(g.t, what, func() bool {
			var got int
			return db.QueryRowContext(g.t.Context(), query).Scan(&got) == nil && got == want
		})
		return nil
	}))
}

// setFinalAfter sets final_after of the vault.
func (g *eventsGuide) setFinalAfter(n int) {
	g.output(fmt.Sprintf(`token=$(curl -sS --fail-with-body -u "admin:$ADMIN_PASSWORD" "$URL/api/v1/tokens" -H 'Content-Type: application/json' \
		-d '{"description": "owner", "lifetime": "1 hour", "scopes": ["wallets:*"]}' | jq -er .token)
		curl -sS --fail-with-body -X PATCH -H "Authorization: Bearer $token" "$URL/api/v1/wallets/$WALLET" \
		-H 'Content-Type: application/json' -d '{"final_after": %d}'`, n))
}

// pay pays an amount in bitcoins and returns the txid.
func (g *eventsGuide) pay(address, amount string) string {
	g.t.Helper()
	return g.textOf(g.node.WalletCLI(g.t, payer, "sendtoaddress", address, json.Number(amount)))
}

func (g *eventsGuide) textOf(answer json.RawMessage) (text string) {
	g.t.Helper()
	testkit.Check(g.t, json.Unmarshal(answer, &text))
	return text
}

// payerTransaction is a transaction of the payer's wallet.
type payerTransaction struct {
	Decoded struct {
		Vin []struct {
			Txid string `json:"txid"`
			Vout int    `json:"vout"`
		}
		Vout []struct{ Value float64 }
	}
}

func (g *eventsGuide) transaction(txid string) (tx payerTransaction) {
	g.t.Helper()
	testkit.Check(g.t, json.Unmarshal(g.node.WalletCLI(g.t, payer, "gettransaction", txid, true, true), &tx))
	return tx
}

// spendAgain replaces unconfirmed transactions by one that returns their inputs to the
// payer.
func (g *eventsGuide) spendAgain(txids ...string) {
	g.t.Helper()
	var inputs []any
	total := 0.0
	for _, txid := range txids {
		for _, in := range g.transaction(txid).Decoded.Vin {
			if !slices.Contains(txids, in.Txid) {
				inputs = append(inputs, in)
				total += g.transaction(in.Txid).Decoded.Vout[in.Vout].Value
			}
		}
	}
	address := g.textOf(g.node.WalletCLI(g.t, payer, "getnewaddress"))
	output := map[string]any{address: json.Number(fmt.Sprintf("%.8f", total-0.001))}
	raw := g.textOf(g.node.CLI(g.t, "createrawtransaction", inputs, []any{output}))
	var signed struct{ Hex string }
	testkit.Check(g.t, json.Unmarshal(g.node.WalletCLI(g.t, payer, "signrawtransactionwithwallet", raw), &signed))
	g.node.CLI(g.t, "sendrawtransaction", signed.Hex)
}
