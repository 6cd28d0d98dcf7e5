package cli

import (
	"bufio"
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// browser sends the forms that a user of the console fills in.
type browser struct {
	t      *testing.T
	url    string
	client *http.Client
}

// signIn returns a browser in which a user has signed in.
func signIn(t *testing.T, url, user, password string) *browser {
	t.Helper()
	b := &browser{t, url, &http.Client{Jar: testkit.Value(cookiejar.New(nil))(t)}}
	b.submit("/login", []string{"user", user, "password", password})
	return b
}

// submit sends a form with fields, pairs of a name and a value, and files, and returns the page
// that follows, which must not be an error.
func (b *browser) submit(path string, fields []string, files ...string) (page, at string) {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for pair := range slices.Chunk(fields, 2) {
		testkit.Check(b.t, w.WriteField(pair[0], pair[1]))
	}
	for _, name := range files {
		part := testkit.Value(w.CreateFormFile("file", filepath.Base(name)))(b.t)
		_ = testkit.Value(part.Write(testkit.Value(os.ReadFile(name))(b.t)))(b.t)
	}
	testkit.Check(b.t, w.Close())
	return b.do(http.MethodPost, path, &body, w.FormDataContentType())
}

func (b *browser) get(path string) string {
	b.t.Helper()
	page, _ := b.do(http.MethodGet, path, nil, "")
	return page
}

func (b *browser) do(method, path string, body io.Reader, kind string) (page, at string) {
	b.t.Helper()
	r := testkit.Value(http.NewRequestWithContext(b.t.Context(), method, b.url+path, body))(b.t)
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	response, err := b.client.Do(r)
	testkit.Check(b.t, err)
	defer func() { _ = response.Body.Close() }()
	text := string(testkit.Value(io.ReadAll(response.Body))(b.t))
	if response.StatusCode != http.StatusOK || strings.HasSuffix(response.Request.URL.Path, "/login") {
		b.t.Fatalf("%s %s leads to %s, %s:\n%s", method, path, response.Request.URL, response.Status, text)
	}
	return text, response.Request.URL.Path
}

// hidden returns the value of a hidden field of a page.
func (b *browser) hidden(page, name string) string {
	b.t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("no field %s in\n%s", name, page)
	}
	return m[1]
}

// consoleGuide is the walk of docs/console.md: its commands, and a browser for each of its users.
type consoleGuide struct {
	blocks       [][]string
	dir          string
	environment  []string
	alice, admin *browser
}

// run runs commands in the terminal of the walk.
func (g *consoleGuide) run(t *testing.T, code string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", g.blocks[1][2]+code)
	cmd.Env, cmd.Dir = g.environment, g.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", code, err, out)
	}
	return string(out)
}

// TestConsoleGuide follows the walk of docs/console.md on the demo.
func TestConsoleGuide(t *testing.T) {
	testkit.NeedsServer(t, "bitcoind")
	settings := serveWalkThroughs(t)
	value := func(name string) string { return settingOf(settings, name) }
	g := &consoleGuide{
		blocks: walkThroughBlocks(t, "docs/console.md", 3), dir: t.TempDir(), environment: append(os.Environ(), settings...),
		alice: signIn(t, value("URL"), "alice", value("ALICE_PASSWORD")), admin: signIn(t, value("URL"), "admin", value("ADMIN_PASSWORD")),
	}
	g.createVault(t, value("KEYS"))
	g.share(t)
	page := g.propose(t)
	g.sign(t, page)
	g.serveAnother(t)
}

func (g *consoleGuide) createVault(t *testing.T, folder string) {
	t.Helper()
	files := []string{filepath.Join(folder, "ann.json"), filepath.Join(folder, "ben.json"), filepath.Join(folder, "cleo.json")}
	fields := []string{"signatures_required", "2", "name", "Family Vault", "since", "now", "step"}
	check, _ := g.alice.submit("/wallets/new", append(fields, "check"), files...)
	for i, name := range cosigners {
		if !strings.Contains(check, `value="`+name+`"`) || strings.Contains(check, `<div class="banner warn"`) {
			t.Errorf("step 2 does not suggest %s for key %d, or it warns:\n%s", name, i+1, check)
		}
	}
	compare, _ := g.alice.submit("/wallets/new", append(fields, "compare"), files...)
	out := g.run(t, g.blocks[0][2])
	_, address, _ := strings.Cut(out, "receive     ")
	address, _, _ = strings.Cut(address, " ")
	if shown := regexp.MustCompile(`<[^>]*>| `).ReplaceAllString(compare, ""); len(address) < 60 || !strings.Contains(shown, address) {
		t.Errorf("the page does not show the address %q of the command:\n%s", address, out)
	}
	names := []string{"device_names[0]", "ann", "device_names[1]", "ben", "device_names[2]", "cleo"}
	if _, at := g.alice.submit("/wallets/new", append(append(fields, "create"), names...), files...); at != "/wallets/family_vault" {
		t.Fatalf("the vault was not created: %s", at)
	}
}

// share invites the admin, who accepts.
func (g *consoleGuide) share(t *testing.T) {
	t.Helper()
	g.alice.submit("/wallets/family_vault/members", []string{"user", "admin", "role", "signer"})
	invitation := regexp.MustCompile(`/invitations/[0-9a-f-]+`).FindString(g.admin.get("/"))
	if _, at := g.admin.submit(invitation+"/accept", nil); at != "/wallets/family_vault" {
		t.Fatalf("the invitation was not accepted: %s", at)
	}
}

// propose pays the vault, and returns the path of a proposal to pay from it.
func (g *consoleGuide) propose(t *testing.T) (path string) {
	t.Helper()
	const receive, send = "/wallets/family_vault/receive", "/wallets/family_vault/send"
	page := g.alice.get(receive)
	page, _ = g.alice.submit(receive, []string{"key", g.alice.hidden(page, "key"), "next", g.alice.hidden(page, "next")})
	g.run(t, "pay "+regexp.MustCompile(`bcrt1q[0-9a-z]{58}`).FindString(page))
	testkit.Eventually(t, "the vault has the payment", func() bool { return strings.Contains(g.alice.get("/wallets/family_vault"), "10\u202f000\u202f000") })
	page = g.alice.get(send)
	fields := []string{
		"key", g.alice.hidden(page, "key"), "unit", "sat", "recipients[0].address", "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x",
		"recipients[0].amount_sat", "1 000 000", "target_blocks", "own", "fee_rate_sat_vb", "2", "replaceable", "1",
	}
	page, _ = g.alice.submit(send, append(fields, "action", "preview"))
	_, path = g.alice.submit(send, append(fields, "action", "create", "seen", g.alice.hidden(page, "seen")))
	if !strings.HasPrefix(path, "/wallets/family_vault/proposals/") {
		t.Fatalf("no proposal was created: %s", path)
	}
	return path
}

// sign signs and broadcasts a proposal.
func (g *consoleGuide) sign(t *testing.T, path string) {
	t.Helper()
	testkit.Check(t, os.WriteFile(filepath.Join(g.dir, "payment.psbt"), []byte(g.alice.get(path+"/psbt")), 0o600))
	g.run(t, "sign ann payment.psbt; sign cleo payment.psbt")
	page, _ := g.alice.submit(path+"/signatures", nil, filepath.Join(g.dir, "payment-ann.psbt"))
	if !strings.Contains(page, "<bdi>ann</bdi>") {
		t.Errorf("the page does not name the device of the signature:\n%s", page)
	}
	g.admin.submit(path+"/signatures", nil, filepath.Join(g.dir, "payment-cleo.psbt"))
	g.admin.submit(path+"/broadcast", nil)
	g.run(t, "mine")
	testkit.Eventually(t, "the payment is confirmed", func() bool { return strings.Contains(g.alice.get(path), "The payment is confirmed") })
}

// serveAnother runs the server without data on the same node, on a free port.
func (g *consoleGuide) serveAnother(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", strings.Replace(g.blocks[2][2], "PORT=25442 ", "PORT=0 exec ", 1))
	cmd.Env, cmd.Dir = append(slices.Clone(g.environment), "HOME="+g.dir), g.dir
	out := testkit.Value(cmd.StdoutPipe())(t)
	testkit.Check(t, cmd.Start())
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, address, found := strings.Cut(lines.Text(), "listens on "); found {
			b := &browser{t, strings.TrimSpace(address), http.DefaultClient}
			if page := b.get("/first-run"); !strings.Contains(page, "password") {
				t.Errorf("the first run is\n%s", page)
			}
			return
		}
	}
	t.Error("the server does not start")
}
