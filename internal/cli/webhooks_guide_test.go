package cli

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/testenv/childprocess"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/webhook/signature"
)

// webhooksGuide runs the code blocks of docs/webhooks.md.
type webhooksGuide struct {
	t           *testing.T
	node        *testkit.Node
	front       *front
	environment []string
	dir         string     // of the receivers
	built       chan error // the result of building the receiver in Go
	state       string     // shell code that sets what the first block sets
	secret      string

	create, python, golang, javascript, trigger, list, repeat, rotate string // code blocks
}

// TestWebhooksGuide runs the code blocks of docs/webhooks.md: a webhook of a real server sends
// its messages to the receivers of the document.
func TestWebhooksGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	for _, program := range []string{"bash", "curl", "jq", "python3", "node", "go"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; run make test-deps", err)
		}
	}
	g := &webhooksGuide{t: t, front: newFront(t), dir: t.TempDir(), built: make(chan error, 1)}
	for i, block := range walkThroughBlocks(t, "docs/webhooks.md", 8) {
		*[]*string{&g.create, &g.python, &g.golang, &g.javascript, &g.trigger, &g.list, &g.repeat, &g.rotate}[i] = block[2]
	}
	g.writeReceivers()
	g.node = testkit.Bitcoind(t)
	g.environment = append(os.Environ(), serveWalkThroughsOn(t, g.node, "SPECTER_WEBHOOK_HOSTS=127.0.0.1")...)
	g.environment = append(g.environment, "RECEIVER="+g.front.URL+"/", "PORT=0")
	g.state = g.output(g.create + "declare -f api; declare -p URL WALLET TOKEN hook WEBHOOK_SECRET")
	g.secret = g.output(`echo "$WEBHOOK_SECRET"`)

	receiver := g.start(g.secret, "python3", "receiver.py")
	g.checkMessages(receiver)
	g.checkVerifiers(receiver)
	g.checkDeliveries(receiver)
	g.checkGone(receiver)
	g.checkRotation(receiver)
}

// checkMessages sends the test message, the event of the document and a payment.
func (g *webhooksGuide) checkMessages(receiver *receiver) {
	g.front.pass(receiver)
	out := g.output(g.trigger)
	receiver.waitFor(`{"type":"webhook.test",`)
	receiver.waitFor(`{"type":"address.revealed",`)
	lines := strings.Fields(out)
	if len(lines) != 2 || lines[0] != "true" {
		g.t.Fatalf("the block prints %q", out)
	}
	g.checkExample()
	g.node.WalletCLI(g.t, payer, "sendtoaddress", lines[1], json.Number("0.001"))
	receiver.waitFor(`{"type":"transaction.seen",`)
	for _, m := range g.front.taken() { // as after a lost response
		if status := receiver.post(m); status != http.StatusNoContent {
			g.t.Errorf("a repeated message: %d", status)
		}
	}
	if got := receiver.types(); !slices.Equal(got, []string{"webhook.test", "address.revealed", "transaction.seen"}) {
		g.t.Errorf("the receiver stored %v", got)
	}
}

// headerForms are the formats of the headers.
var headerForms = map[string]*regexp.Regexp{
	"Webhook-Id":        regexp.MustCompile(`^msg_[\w-]{24}$`),
	"Webhook-Timestamp": regexp.MustCompile(`^\d{10}$`),
	"Webhook-Signature": regexp.MustCompile(`^v1,[A-Za-z0-9+/]{43}=$`),
}

// checkExample compares the headers and fields of the document's message with the real one.
func (g *webhooksGuide) checkExample() {
	text, err := os.ReadFile("../../docs/webhooks.md")
	testkit.Check(g.t, err)
	example := regexp.MustCompile("(?s)```http\nPOST / HTTP/1.1\n(.*?)\n\n(.*?)\n```\n").FindSubmatch(text)
	if example == nil {
		g.t.Fatal("docs/webhooks.md has no example")
	}
	all := g.front.taken()
	got := all[slices.IndexFunc(all, func(m message) bool { return bytes.Contains(m.body, []byte(`"address.revealed"`)) })]
	for line := range strings.Lines(string(example[1])) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		for _, v := range []string{value, got.header.Get(name)} {
			if !headerForms[name].MatchString(v) {
				g.t.Errorf("the header %s is %q, and in the document %q", name, got.header.Get(name), value)
			}
		}
	}
	if n := bytes.Count(example[1], []byte(": ")); n != len(headerForms) {
		g.t.Errorf("the document has %d headers", n)
	}
	var want, sent struct {
		Type, Timestamp string
		Data            map[string]any
	}
	testkit.Check(g.t, json.Unmarshal(example[2], &want))
	testkit.Check(g.t, json.Unmarshal(got.body, &sent))
	if want.Type != sent.Type || len(want.Data) != len(sent.Data) {
		g.t.Errorf("the message is %s, and in the document %s", got.body, example[2])
	}
	for name := range want.Data {
		if _, found := sent.Data[name]; !found {
			g.t.Errorf("the message has no %s: %s", name, got.body)
		}
	}
}

// checkVerifiers sends messages to receivers in all languages.
func (g *webhooksGuide) checkVerifiers(python *receiver) {
	testkit.Check(g.t, <-g.built)
	all := g.front.taken()
	captured := all[len(all)-1]
	cases := g.forgeries(captured)
	cases["the real request"] = verdict{captured, true}
	statuses := map[bool]int{true: http.StatusNoContent, false: http.StatusUnauthorized}
	for language, command := range map[string][]string{"Python": {"python3", "receiver.py"}, "Go": {"./receiver"}, "JavaScript": {"node", "receiver.mjs"}} {
		r := python
		if language != "Python" {
			r = g.start(g.secret, command...)
			g.front.pass(r)
			if out := g.output(`api -X POST "$hook/test" | jq -c '[.ok, .status]'`); out != "[true,204]" {
				g.t.Errorf("%s: the test message: %s", language, out)
			}
		}
		for name, c := range cases {
			if status := r.post(c.message); status != statuses[c.accepted] {
				g.t.Errorf("%s: %s: %d", language, name, status)
			}
		}
		if status := g.start("", command...).post(withEmptySecret(captured)); status != http.StatusUnauthorized {
			g.t.Errorf("%s: without a secret: %d", language, status)
		}
	}
}

// verdict is a message, and whether receivers must accept it.
type verdict struct {
	message

	accepted bool
}

// forgeries returns variations of a message.
func (g *webhooksGuide) forgeries(captured message) map[string]verdict {
	now, other := time.Now(), signature.Generate()
	with := func(name, value string) message {
		m := message{captured.header.Clone(), captured.body}
		m.header.Set(name, value)
		return m
	}
	signed := func(at time.Time, secrets ...string) message {
		header, err := signature.Sign("msg_1", at, captured.body, secrets...)
		testkit.Check(g.t, err)
		m := message{http.Header{}, captured.body}
		for name, value := range header {
			m.header.Set(name, value)
		}
		return m
	}
	value := captured.header.Get(signature.HeaderSignature)
	return map[string]verdict{
		"signed 4 minutes ago":      {signed(now.Add(-4*time.Minute), g.secret), true},
		"two secrets, ours first":   {signed(now, g.secret, other), true},
		"two secrets, ours last":    {signed(now, other, g.secret), true},
		"changed body":              {message{captured.header, append(slices.Clone(captured.body), ' ')}, false},
		"changed id":                {with(signature.HeaderID, "msg_1"), false},
		"changed timestamp":         {with(signature.HeaderTimestamp, strconv.FormatInt(now.Unix()+1, 10)), false},
		"timestamp without seconds": {with(signature.HeaderTimestamp, "now"), false},
		"no timestamp":              {with(signature.HeaderTimestamp, ""), false},
		"signed 6 minutes ago":      {signed(now.Add(-6*time.Minute), g.secret), false},
		"signed in 6 minutes":       {signed(now.Add(6*time.Minute), g.secret), false},
		"wrong secret":              {signed(now, other), false},
		"another version":           {with(signature.HeaderSignature, "v2"+value[2:]), false},
		"half of the signature":     {with(signature.HeaderSignature, value[:len(value)/2]), false},
		"empty signature":           {with(signature.HeaderSignature, "v1,"), false},
		"no signature":              {with(signature.HeaderSignature, ""), false},
		"no headers":                {message{http.Header{}, captured.body}, false},
	}
}

// withEmptySecret returns a message as anyone can sign it for a receiver with an empty secret.
func withEmptySecret(captured message) message {
	m := message{captured.header.Clone(), captured.body}
	sent := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte(m.header.Get(signature.HeaderID) + "." + sent + "." + string(m.body)))
	m.header.Set(signature.HeaderTimestamp, sent)
	m.header.Set(signature.HeaderSignature, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return m
}

// checkDeliveries lists two deliveries to a receiver that is not available, and repeats them.
func (g *webhooksGuide) checkDeliveries(receiver *receiver) {
	g.front.refuse(http.StatusServiceUnavailable)
	before := len(receiver.types())
	g.output(reveal + reveal)
	testkit.Eventually(g.t, "a delivery has failed, and another waits", func() bool {
		out := g.output(g.list)
		return strings.Contains(out, `"waiting_behind":{"id":"msg_`) && strings.Contains(out, `"waiting_behind":null`) &&
			strings.Contains(out, `"result":{"ok":false,"status":503,"problem":null,`)
	})
	out := g.output(g.list + "declare -p delivery")
	g.state += out[strings.LastIndexByte(out, '\n'):]
	g.front.pass(receiver)
	if out := g.output(g.repeat); out != "pending\n0" && out != "delivered\n0" {
		g.t.Errorf("the block prints %q", out)
	}
	testkit.Eventually(g.t, "both are delivered", func() bool { return len(receiver.types()) == before+2 })
	if n := receiver.numbers(); !slices.IsSorted(n) {
		g.t.Errorf("the messages are in the order %v", n)
	}
}

// reveal is a command that causes an event.
const reveal = `api "$URL/api/v1/wallets/$WALLET/addresses" -d '{"label": "invoice 22"}'` + "\n"

// checkGone makes the receiver disable the webhook, and enables it.
func (g *webhooksGuide) checkGone(receiver *receiver) {
	g.front.refuse(http.StatusGone)
	g.output(reveal)
	testkit.Eventually(g.t, "the webhook is disabled", func() bool {
		return g.output(`api "$hook" | jq -c '[.status, .disabled_reason]'`) == `["disabled","gone"]`
	})
	before := len(receiver.types())
	g.front.pass(receiver)
	g.output(reveal + `api -X PATCH "$hook" -d '{"enabled": true}'`)
	testkit.Eventually(g.t, "the events are sent", func() bool { return len(receiver.types()) == before+2 })
}

// checkRotation rotates the secret: receivers with the old and with the new one accept messages.
func (g *webhooksGuide) checkRotation(before *receiver) {
	secret := g.output(g.rotate)
	after := g.start(secret, "python3", "receiver.py")
	for _, r := range []*receiver{before, after} {
		n := len(r.types())
		g.front.pass(r)
		g.output(reveal)
		testkit.Eventually(g.t, "the receiver accepts the message", func() bool { return len(r.types()) == n+1 })
	}
	all := g.front.taken()
	if got := all[len(all)-1].header.Get(signature.HeaderSignature); secret == g.secret || strings.Count(got, "v1,") != 2 {
		g.t.Errorf("a message has the signature %q", got)
	}
}

// output runs shell code, which must succeed, and returns its output.
func (g *webhooksGuide) output(code string) string {
	g.t.Helper()
	cmd := exec.CommandContext(g.t.Context(), "bash", "-eu", "-o", "pipefail", "-c", g.state+"\n"+code)
	cmd.Env, cmd.Dir = g.environment, g.dir
	var stderr testkit.Log
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("%s: %v\n%s%s", code, err, out, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// These programs respond with 204 if the document's function accepts a message, and
// otherwise with 401.
const (
	goReceiver = `package main

import ("fmt"; "io"; "net"; "net/http"; "os")

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println("http://" + l.Addr().String())
	panic(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if Verify(os.Getenv("WEBHOOK_SECRET"), r.Header, body) {
			w.WriteHeader(http.StatusNoContent)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})))
}
`
	javascriptReceiver = `import { createServer } from "node:http";
import { verify } from "./verify.mjs";

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const accepted = verify(process.env.WEBHOOK_SECRET, request.headers, Buffer.concat(chunks));
  response.writeHead(accepted ? 204 : 401).end();
});
server.listen(0, "127.0.0.1", () => console.log("http://127.0.0.1:" + server.address().port));
`
)

// writeReceivers writes the programs, and starts to build the one in Go.
func (g *webhooksGuide) writeReceivers() {
	for name, code := range map[string]string{
		"receiver.py": g.python, "verify.go": "package main\n\n" + g.golang, "main.go": goReceiver,
		"verify.mjs": g.javascript, "receiver.mjs": javascriptReceiver,
	} {
		testkit.Check(g.t, os.WriteFile(filepath.Join(g.dir, name), []byte(code), 0o600))
	}
	cmd := exec.CommandContext(g.t.Context(), "go", "build", "-o", "receiver", "verify.go", "main.go")
	cmd.Dir = g.dir
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build the receiver in Go: %w\n%s", err, out)
		}
		g.built <- err
	}()
}

// receiver is a program that runs in the background and has printed its URL.
type receiver struct {
	t   *testing.T
	url string
	log testkit.Log
}

// start starts a receiver with a secret.
func (g *webhooksGuide) start(secret string, command ...string) *receiver {
	g.t.Helper()
	if strings.HasPrefix(command[0], "./") {
		command = append([]string{filepath.Join(g.dir, command[0])}, command[1:]...)
	}
	cmd := exec.CommandContext(g.t.Context(), command[0], command[1:]...)
	cmd.Env, cmd.Dir = append(slices.Clone(g.environment), "WEBHOOK_SECRET="+secret), g.dir
	r := &receiver{t: g.t}
	cmd.Stdout, cmd.Stderr = &r.log, io.Discard
	process, err := childprocess.Start(cmd, "KILL")
	testkit.Check(g.t, err)
	g.t.Cleanup(func() {
		process.Signal("KILL")
		<-process.Done()
	})
	testkit.Eventually(g.t, "the receiver listens", func() bool {
		url, _, found := strings.Cut(r.log.String(), "\n")
		r.url = url
		return found
	})
	return r
}

// post sends a message to the receiver, and returns the status of the response.
func (r *receiver) post(m message) int {
	r.t.Helper()
	return testkit.Value(r.send(m))(r.t)
}

func (r *receiver) send(m message) (status int, err error) {
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url, bytes.NewReader(m.body))
	if err != nil {
		return 0, err
	}
	req.Header, req.Close = m.header.Clone(), true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// stored returns the messages that the receiver has printed.
func (r *receiver) stored() []storedMessage {
	r.t.Helper()
	lines := strings.Split(r.log.String(), "\n")
	messages := make([]storedMessage, len(lines)-2) // without the URL, and the end or an incomplete line
	for i := range messages {
		testkit.Check(r.t, json.Unmarshal([]byte(lines[i+1]), &messages[i]))
	}
	return messages
}

// storedMessage has the fields of a stored message that the test reads.
type storedMessage struct {
	Type string
	Data struct{ N int64 }
}

func (r *receiver) types() (types []string) {
	for _, m := range r.stored() {
		types = append(types, m.Type)
	}
	return types
}

// numbers returns the numbers of the stored events.
func (r *receiver) numbers() (numbers []int64) {
	for _, m := range r.stored() {
		if m.Data.N != 0 {
			numbers = append(numbers, m.Data.N)
		}
	}
	return numbers
}

func (r *receiver) waitFor(text string) {
	r.t.Helper()
	testkit.Eventually(r.t, "the receiver prints "+text, func() bool { return strings.Contains(r.log.String(), text) })
}

// message is a request of a webhook.
type message struct {
	header http.Header
	body   []byte
}

// front is the URL of the webhook. It passes messages to a receiver and keeps them.
type front struct {
	*httptest.Server

	t        *testing.T
	mu       sync.Mutex
	messages []message
	receiver *receiver // nil if messages are refused
	status   int
}

func newFront(t *testing.T) *front {
	f := &front{t: t}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		f.t.Error(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.receiver == nil {
		w.Header().Set("Retry-After", "600") // so that no attempt is made during the test
		w.WriteHeader(f.status)
		return
	}
	m := message{req.Header.Clone(), body}
	f.messages = append(f.messages, m)
	status, err := f.receiver.send(m)
	if err != nil {
		f.t.Error(err)
		status = http.StatusBadGateway
	}
	w.WriteHeader(status)
}

// pass makes the front pass messages to a receiver.
func (f *front) pass(r *receiver) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.receiver = r
}

// refuse makes the front respond with a status.
func (f *front) refuse(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.receiver, f.status = nil, status
}

// taken returns the messages that were passed on.
func (f *front) taken() []message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.messages)
}
