package system

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSecrets checks that no password, token or key appears in the log at level debug, in
// error responses, metrics, output of commands, the data directory or the database, even if
// secrets are used incorrectly. As a control, it stores a secret in a description and
// checks that the search finds it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			w := newWatch(t, engine == "PostgreSQL")
			s := w.serve("BTC_RPC_PASSWORD=" + w.rpcPassword)
			w.use(s)
			w.sendSecrets(s)
			w.commands()
			w.keep("metrics", get(t, "http://"+w.metrics+"/metrics", http.StatusOK))
			s.kill()
			w.keep("log", s.log.String())
			for name, setting := range map[string]string{
				"a wrong RPC password": "BTC_RPC_PASSWORD=" + w.secret("a wrong RPC password"),
				"an unreachable node":  "SPECTER_NODE_URL=http://user:" + w.secret("the password of an unreachable node") + "@127.0.0.1:1",
			} {
				s := w.serve(setting)
				testkit.Eventually(t, name+" in the log", func() bool { return strings.Contains(s.log.String(), "node lost") })
				w.keep(name, get(t, s.url+"/api/healthz/readyness", http.StatusServiceUnavailable))
				s.kill()
				w.keep("log with "+name, s.log.String())
			}
			w.keep("data", w.data())
			hits := w.hits()
			for _, hit := range hits {
				t.Error(hit)
			}
			testkit.Figure(t, "%s: %d secrets in %d MB of log, refusals, metrics, output and data: %d hits", engine, w.secretsCount, w.size()>>20, len(hits))

			// The search finds planted texts.
			s = w.serve("BTC_RPC_PASSWORD=" + w.rpcPassword)
			w.seen = map[string]string{}
			call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", map[string]any{"description": hex.EncodeToString([]byte(w.rpcPassword)), "lifetime": "1 hour"}, nil)
			s.kill()
			w.keep("data", w.data())
			if len(w.hits()) == 0 {
				t.Error("a planted text was not found")
			}
		})
	}
}

// watch collects the output of a server and the secrets that must not appear in it.
type watch struct {
	t            *testing.T
	secrets      testkit.Secrets
	secretsCount int
	seen         map[string]string
	dir          string
	settings     []string
	database     string // PostgreSQL's URL
	rpcPassword  string
	metrics      string
}

func newWatch(t *testing.T, postgres bool) *watch {
	w := &watch{t: t, seen: map[string]string{}, dir: t.TempDir()}
	w.rpcPassword = w.secret("the RPC password")
	mac := hmac.New(sha256.New, []byte("5a17"))
	_, _ = mac.Write([]byte(w.rpcPassword))
	node := testkit.Bitcoind(t, fmt.Sprintf("-rpcauth=watched:5a17$%x", mac.Sum(nil)))
	node.Mine(t, 1)
	cookie, err := os.ReadFile(node.CookieFile())
	testkit.Check(t, err)
	w.add("the cookie", strings.TrimPrefix(string(cookie), "__cookie__:"))
	w.add("the admin's password", testPassword)
	w.metrics = freeAddress(t)
	w.settings = []string{
		"SPECTER_NODE_URL=", "BTC_RPC_USER=watched", "BTC_RPC_HOST=127.0.0.1", "BTC_RPC_PORT=" + strconv.Itoa(node.Port()), "SECRET_KEY=" + w.secret("the signing key") + w.secret("the rest of the signing key"),
		"SPECTER_LOG_LEVEL=debug", "SPECTER_METRICS_LISTEN=" + w.metrics, "SPECTER_DATA_FOLDER=" + w.dir, "SPECTER_ADMIN_PASSWORD=" + testPassword, "BTC_RPC_PASSWORD=" + w.rpcPassword,
	}
	if postgres {
		w.database = testkit.Postgres(t)
		parsed, err := url.Parse(w.database)
		testkit.Check(t, err)
		password, _ := parsed.User.Password()
		w.add("the database's password", password)
		w.settings = append(w.settings, "SPECTER_DATABASE_URL="+w.database)
	}
	return w
}

func (w *watch) serve(settings ...string) *server {
	w.t.Helper()
	return startServer(w.t, w.dir, append(append([]string{}, w.settings...), settings...)...)
}

func (w *watch) add(name, secret string) {
	w.secretsCount++
	w.secrets.Add(name, secret)
}

// secret returns a new random secret, and adds it to the secrets that must not appear in
// the output.
func (w *watch) secret(name string) string {
	text := rand.Text()
	w.add(name, text)
	return text
}

// keep adds text to the output that is searched for secrets.
func (w *watch) keep(where, text string) { w.seen[where] += text + "\n" }

func (w *watch) size() (n int) {
	for _, text := range w.seen {
		n += len(text)
	}
	return n
}

func (w *watch) hits() (hits []string) {
	for where, text := range w.seen {
		for _, found := range w.secrets.Find(text) {
			hits = append(hits, where+" has "+found)
		}
	}
	return hits
}

// ask makes a request, and keeps the response unless it contains a new token.
func (w *watch) ask(s *server, method, path, authorization, body string) (int, []byte) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, s.url+path, strings.NewReader(body))
	testkit.Check(w.t, err)
	r.Header.Set("Authorization", authorization)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", rand.Text())
	resp, err := http.DefaultClient.Do(r)
	testkit.Check(w.t, err)
	defer func() { _ = resp.Body.Close() }()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	testkit.Check(w.t, err)
	var made struct {
		Token string `json:"token"`
		JWT   string `json:"jwt_token"`
	}
	if _ = json.Unmarshal(text.Bytes(), &made); made.Token+made.JWT != "" {
		w.add("a token", made.Token+made.JWT)
	} else {
		w.keep(method+" "+path[:min(len(path), 30)]+" "+resp.Status, text.String()+fmt.Sprint(resp.Header))
	}
	return resp.StatusCode, text.Bytes()
}

func (w *watch) admin() string {
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil)
	r.SetBasicAuth("admin", testPassword)
	return r.Header.Get("Authorization")
}

// use uses secrets correctly in the API.
func (w *watch) use(s *server) {
	t := w.t
	t.Helper()
	do := func(status int, method, path, authorization, body string, values ...any) (out struct{ ID, Token string }) {
		t.Helper()
		got, answer := w.ask(s, method, path, authorization, fmt.Sprintf(body, values...))
		if got != status {
			t.Fatalf("%s %s: %d %s", method, path, got, answer)
		}
		_ = json.Unmarshal(answer, &out)
		return out
	}
	boss := "Bearer " + do(201, http.MethodPost, "/api/v1/tokens", w.admin(), `{"description": "boss", "lifetime": "1 hour", "scopes": `+allScopes+`}`).Token
	do(201, http.MethodPost, "/api/v1/users", w.admin(), `{"name": "bob", "password": %q}`, w.secret("bob's password"))
	do(403, http.MethodPatch, "/api/v1/users/bob", boss, `{"password": %q}`, w.secret("a password by token"))
	do(200, http.MethodPatch, "/api/v1/users/bob", w.admin(), `{"password": %q}`, w.secret("bob's next password"))
	do(400, http.MethodPost, "/api/v1/users", w.admin(), `{"name": "b\u0000b", "password": %q}`, w.secret("nobody's password"))
	token := do(201, http.MethodPost, "/api/v1/tokens", w.admin(), `{"description": "one", "lifetime": "1 hour", "scopes": `+allScopes+`}`)
	do(201, http.MethodPost, "/api/v1alpha/token/", w.admin(), `{"jwt_token_description": "two", "jwt_token_life": "1 hour"}`)
	child := do(201, http.MethodPost, "/api/v1/tokens", "Bearer "+token.Token, `{"description": "three", "lifetime": "10 minutes"}`)
	next := do(201, http.MethodPost, "/api/v1/tokens/"+child.ID+"/rotate", "Bearer "+token.Token, `{"grace_period": "1 minute"}`)
	do(200, http.MethodGet, "/api/v1/tokens/self", "Bearer "+next.Token, "")
	do(200, http.MethodDelete, "/api/v1/tokens/"+next.ID, "Bearer "+token.Token, "")
	do(401, http.MethodGet, "/api/v1/tokens/self", "Bearer "+next.Token, "")
	wrong := w.secret("a wrong password")
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.SetBasicAuth("admin", wrong)
	do(401, http.MethodGet, "/api/v1/users/me", r.Header.Get("Authorization"), "")
	order, err := json.Marshal(orderOf("one", 1))
	testkit.Check(t, err)
	do(201, http.MethodPost, "/api/v1/wallets", "Bearer "+token.Token, "%s", order)
	const private = "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK"
	w.add("a private key", private[20:]) // all keys have the same prefix
	do(400, http.MethodPost, "/api/v1/wallets", "Bearer "+token.Token, `{"name": "x", "descriptor": "wpkh(%s/<0;1>/*)", "birthday": "now"}`, private)
}

const allScopes = `["tokens:*", "users:*", "audit:*", "node:*", "wallets:*", "addresses:*", "proposals:*"]`

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// sendSecrets makes a request to every route with secrets in unexpected places.
func (w *watch) sendSecrets(s *server) {
	description, err := os.ReadFile("../../docs/openapi.json")
	testkit.Check(w.t, err)
	var api struct {
		Paths map[string]map[string]json.RawMessage
	}
	testkit.Check(w.t, json.Unmarshal(description, &api))
	n := 0
	for path, methods := range api.Paths {
		for method := range methods {
			method, lost := strings.ToUpper(method), w.secret("what was sent to "+path)
			if method == http.MethodDelete && !strings.Contains(path, "{") {
				continue // the request would delete the caller's token
			}
			asked := parameter.ReplaceAllString(path, lost)
			if strings.HasPrefix(path, "/api/v1alpha/wallets/") {
				asked = parameter.ReplaceAllString(path, "nothing") // v1alpha repeats the alias in errors, as Specter Desktop does
			}
			_, answer := w.ask(s, http.MethodPost, "/api/v1/tokens", w.admin(), fmt.Sprintf(`{"description": "knock %d", "lifetime": "1 hour", "scopes": %s}`, n, allScopes))
			var token madeToken
			if testkit.Check(w.t, json.Unmarshal(answer, &token)); token.Secret == "" {
				w.t.Fatalf("no token before %s %s: %s", method, path, answer)
			}
			for _, authorization := range []string{"Bearer " + token.Secret, "Bearer " + token.Secret[:len(token.Secret)-1] + "!", "Bearer " + lost, "Basic " + lost, lost} {
				for _, body := range []string{`{"password": "` + lost, `{"` + lost + `": 1}`, lost, `{"name": "\u0000", "password": "` + lost + `", "descriptor": "` + lost + `", "psbt": "` + lost + `"}`} {
					w.ask(s, method, asked+"?cursor="+lost+"&"+lost+"=1", authorization, body)
					if method == http.MethodGet {
						break
					}
				}
			}
			n++
		}
	}
	if n < 40 {
		w.t.Errorf("%d routes", n)
	}
}

// commands keeps the output of commands, some of which get secrets in wrong places.
func (w *watch) commands() {
	lost := w.secret("what was given to commands")
	for _, args := range [][]string{
		{"doctor"},
		{"user", "list"},
		{"token", "list"},
		{"wallet", "list"},
		{"audit", "list"},
		{"audit", "verify"},
		{"health"},
		{"version"},
		{"doctor", "--database-url", "postgres://user:" + lost + "@127.0.0.1:1/x"},
		{"token", "list", "--database-url", "postgres://user:" + lost + "@127.0.0.1:1/x?sslmode=nonsense"},
		{"doctor", "--node-url", "http://user:" + lost + "@127.0.0.1:1"},
		{"serve", "--node-url", "ftp://user:" + lost + "@127.0.0.1:1"},
		{"serve", "--node-url", "http://user:" + lost + "@127.0.0.1:port"},
		{"serve", "--database-url", "postgres://user:" + lost + "@host:port:port/%zz"},
	} {
		cmd := tool(w.t, w.dir, args...)
		cmd.Env = append(cmd.Env, w.settings...)
		out, err := cmd.CombinedOutput()
		w.keep("specterd "+args[0], string(out))
		if len(args) > 2 && err == nil {
			w.t.Errorf("specterd %q did not fail:\n%s", args, out)
		}
	}
	cmd := tool(w.t, w.dir, "serve")
	cmd.Env = append(append(cmd.Env, w.settings...), "SECRET_KEY="+lost[:20], "SPECTER_BCRYPT_COST="+lost)
	out, err := cmd.CombinedOutput()
	w.keep("serve with a short key", string(out))
	if err == nil {
		w.t.Errorf("a short key was accepted:\n%s", out)
	}
}

// data returns the contents of the data directory and the database.
func (w *watch) data() string {
	var all strings.Builder
	testkit.Check(w.t, filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	}))
	if w.database == "" {
		return all.String()
	}
	db, err := sql.Open("pgx", w.database)
	testkit.Check(w.t, err)
	defer func() { _ = db.Close() }()
	var tables []string
	testkit.Check(w.t, queryAll(w.t, db, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'", &tables))
	for _, table := range tables {
		var rows []string
		testkit.Check(w.t, queryAll(w.t, db, "SELECT CAST(t AS TEXT) FROM "+table+" AS t", &rows))
		all.WriteString(strings.Join(rows, "\n"))
	}
	return all.String()
}

func queryAll(t *testing.T, db *sql.DB, query string, into *[]string) error {
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return err
		}
		*into = append(*into, text)
	}
	return rows.Err()
}
