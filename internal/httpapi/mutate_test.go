package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestMutations mutates the requests of testdata/bad-input at random. A mutated request must
// not cause an internal error. If it is refused, it must get an error document and change
// nothing; if it is accepted, because the mutation made it valid, an independent strict parser
// must also accept it. Every rawEvery-th request is sent over TCP, and the others are passed
// to the handler.
func TestMutations(t *testing.T) {
	t.Parallel()
	each := testkit.Size(400, 500_000)
	seed, node := testkit.Seed(t), testkit.Bitcoind(t)
	node.Mine(t, 1)
	t.Run("on", func(t *testing.T) {
		for name, setting := range engines {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := start(t, setting(t), onNode(node), func(s *setup) { s.Log = slog.New(warnings{s.Log.Handler()}) })
				b := newMutationTest(t, s, seed, name == "PostgreSQL")
				for from := 0; from < each && !t.Failed(); from += batch {
					b.try(t, from, min(each, from+batch))
				}
				testkit.Figure(t, "%s: %d mutations of %d requests, %d of them over TCP: 0 responses 5xx, 0 unexpected changes; %d refused, %d accepted as reads and %d as writes",
					name, each, len(b.cases)+len(b.raw), each/rawEvery, b.became[stayedWrong], b.became[becameRead], b.became[becameWrite])
			})
		}
	})
}

const (
	batch    = 250 // mutations between two checks of the database
	rawEvery = 50
	large    = 16 << 10 // bytes; larger bodies are slow and therefore sent less often
)

// warnings discards log records below the level WARN.
type warnings struct{ slog.Handler }

func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// mutationTest sends mutations to a server.
type mutationTest struct {
	*server
	postgres bool
	seed     uint64
	cases    []mutant
	raw      []string
	// credentials contains the valid values of the Authorization header.
	credentials []string
	before      string // dump of the database in the state to compare with
	acts        int    // number of audit events in that state
	became      map[outcome]int
}

// outcome is the result of a mutation.
type outcome string

const (
	stayedWrong outcome = "refused"
	becameRead  outcome = "accepted as a read"
	gaveUp      outcome = "aborted, with an unknown result"
	becameWrite outcome = "accepted as a write"
)

func (o outcome) mayChange() bool { return o == becameWrite || o == gaveUp }

func newMutationTest(t *testing.T, s *server, seed uint64, postgres bool) *mutationTest {
	admin := s.user(t, "admin", true)
	k, other := s.tokenFor(t, admin, 24*time.Hour, 0, nil), s.token(t, admin, 0)
	s.vault(t, admin, "vault")
	s.sql(t, "DELETE FROM addresses WHERE address_index > 20") // dumps of thousands of addresses are slow
	b := &mutationTest{server: s, seed: seed, postgres: postgres, credentials: []string{k.bearer(), admin.basic()}, became: map[outcome]int{}}
	cases := badCases(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		r := cases[name].request(s, admin, token{other.id, k.secret})
		s.secrets.Delete(cases[name].Secret) // a mutation may move the secret to a part that is logged
		m := mutant{method: r.method, target: r.path, body: r.body}
		for _, name := range slices.Sorted(maps.Keys(r.header)) {
			m.header = append(m.header, name+": "+r.header[name])
		}
		if _, given := r.header["Content-Type"]; !given && r.body != "" {
			m.header = append(m.header, "Content-Type: application/json")
		}
		for _, value := range r.auth {
			m.header = append(m.header, "Authorization: "+value)
		}
		b.cases = append(b.cases, m)
	}
	raw := rawCases(t)
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		b.raw = append(b.raw, s.fillIn(raw[name].text, k))
	}
	for _, table := range tables {
		_, err := s.db.ExecContext(t.Context(), "CREATE TABLE kept_"+table+" AS SELECT * FROM "+table)
		testkit.Check(t, err)
	}
	b.recordState(t)
	return b
}

// recordState makes the current state of the database the one to compare with.
func (b *mutationTest) recordState(t *testing.T) {
	t.Helper()
	b.before, b.acts = b.dump(t, false), (&world{server: b.server}).acts(t)
}

// restore restores all tables except the audit log to their initial contents.
func (b *mutationTest) restore(t *testing.T) {
	t.Helper()
	tx, err := b.db.BeginTx(t.Context(), nil)
	testkit.Check(t, err)
	defer func() { _ = tx.Rollback() }()
	do := func(statement string) {
		_, err := tx.ExecContext(t.Context(), statement)
		testkit.Check(t, err)
	}
	if b.postgres {
		do("SET LOCAL session_replication_role = replica") // disables foreign keys
	}
	for _, table := range tables {
		do("DELETE FROM " + table)
	}
	for _, table := range tables {
		do("INSERT INTO " + table + " SELECT * FROM kept_" + table)
	}
	testkit.Check(t, tx.Commit())
	b.recordState(t)
}

// try sends mutation i for each from <= i < to, and checks that the refused ones changed
// nothing.
func (b *mutationTest) try(t *testing.T, from, to int) {
	t.Helper()
	for i := from; i < to && !t.Failed(); i++ {
		became := b.send(t, i)
		b.became[became]++
		if became.mayChange() {
			b.restore(t)
			for again := from; again < i; again++ { // restore has undone any changes of these, so send them again
				if b.send(t, again).mayChange() {
					b.restore(t)
				}
			}
			b.wantUnchanged(t, from, i)
			from = i + 1
		}
	}
	b.wantUnchanged(t, from, to)
}

func (b *mutationTest) wantUnchanged(t *testing.T, from, to int) {
	t.Helper()
	after := b.dump(t, false)
	acts := (&world{server: b.server}).acts(t)
	if after == b.before && acts == b.acts {
		return
	}
	changed := fmt.Sprintf("%d audit events, %d before", acts, b.acts)
	for line := range strings.Lines(after) {
		if !strings.Contains(b.before, line) {
			changed += "\nnew: " + line
		}
	}
	for i := from; i < to; i++ {
		b.restore(t)
		if !b.send(t, i).mayChange() && (b.dump(t, false) != b.before || (&world{server: b.server}).acts(t) != b.acts) {
			t.Fatalf("SPECTERD_SEED=%d, mutation %d was refused, but changed the database: %q", b.seed, i, b.mutation(i))
		}
	}
	t.Fatalf("SPECTERD_SEED=%d: mutations %d to %d changed the database together, but none of them alone:\n%s", b.seed, from, to, changed)
}

// mutant is a request that can be mutated.
type mutant struct {
	method, target string
	header         []string
	body           string
}

// wire encodes the request in HTTP/1.1.
func (m mutant) wire(host string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", m.method, m.target, host)
	for _, line := range m.header {
		text.WriteString(line + "\r\n")
	}
	if m.body != "" {
		fmt.Fprintf(&text, "Content-Length: %d\r\n", len(m.body))
	}
	return text.String() + "\r\n" + m.body
}

// mutation returns the i-th mutated request in HTTP/1.1. It depends only on the seed and i.
func (b *mutationTest) mutation(i int) string {
	r := rand.New(rand.NewPCG(b.seed, uint64(i)))
	if i%rawEvery == 0 && i%(2*rawEvery) != 0 {
		text := []byte(pick(r, b.raw))
		for range 1 + r.IntN(3) {
			text = mutateBytes(r, text)
		}
		return string(text)
	}
	m := pick(r, b.cases)
	for len(m.body) > large && r.IntN(100) > 0 { // large bodies are slow
		m = pick(r, b.cases)
	}
	m.header = slices.Clone(m.header)
	other := pick(r, b.cases)
	for range 1 + r.IntN(3) {
		switch p := r.IntN(20); {
		case p < 12 && m.body != "":
			m.body = mutateBody(r, m.body, other.body)
		case p < 15:
			m.target = mutateTarget(r, m.target, other.target)
		case p < 19:
			m.mutateHeader(r)
		default:
			m.method = pick(r, methods)
		}
	}
	return m.wire("127.0.0.1")
}

// send sends the i-th mutation and checks the response.
func (b *mutationTest) send(t *testing.T, i int) outcome {
	t.Helper()
	text := b.mutation(i)
	if i%rawEvery == 0 {
		return b.sendRaw(t, i, text)
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil { // net/http refuses the request
		return stayedWrong
	}
	r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", byte(i>>16), byte(i>>8), byte(i)) // one address per mutation, so that the login throttle does not apply
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	got := answer{status: w.Code, header: w.Header(), body: w.Body.String()}
	switch {
	case got.status >= 500:
		t.Errorf("SPECTERD_SEED=%d, mutation %d: %d %s\n%q", b.seed, i, got.status, got.body, text)
		return stayedWrong
	case got.status >= 400:
		if err := json.Unmarshal([]byte(got.body), &got.fields); err != nil || !isErrorDocument(got, r.URL.Path) {
			t.Errorf("SPECTERD_SEED=%d, mutation %d: status %d without an error document: %s\n%q", b.seed, i, got.status, got.body, text)
		}
		return stayedWrong
	case slices.Contains(safeMethods, r.Method):
		return becameRead
	}
	b.wantRight(t, i, text)
	return becameWrite
}

var safeMethods = []string{http.MethodGet, http.MethodHead, http.MethodOptions}

// isErrorDocument reports whether a response has the error format of its API version.
func isErrorDocument(got answer, path string) bool {
	if got.header.Get("Content-Type") == "application/json" {
		return !strings.HasPrefix(path, "/api/v1/") && len(got.text("message")) > 5
	}
	return !strings.HasPrefix(path, "/api/v1alpha/") && got.header.Get("Content-Type") == "application/problem+json" &&
		got.text("code") != "" && len(got.text("detail")) > 10 && got.text("request_id") != ""
}

var statusLine = regexp.MustCompile(`(?m)^HTTP/1\.1 (\d)\d\d`)

// notOurs matches the 5xx responses with which net/http refuses unsupported requests.
var notOurs = regexp.MustCompile(`(?m)^HTTP/1\.1 (501 Not Implemented|505 HTTP Version Not Supported)`)

// sendRaw sends a mutation over TCP. There are two responses if the mutation consists of two
// requests, and there may be none if the mutation is incomplete.
func (b *mutationTest) sendRaw(t *testing.T, i int, text string) outcome {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	testkit.Check(t, err)
	defer func() { _ = conn.Close() }()
	testkit.Check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	_, _ = io.WriteString(conn, text) // the server may refuse the request before it is complete
	_ = conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() { //nolint:errorlint // not wrapped
		t.Errorf("SPECTERD_SEED=%d, mutation %d: the response is incomplete after a minute\n%q", b.seed, i, text)
	}
	became := stayedWrong
	for _, status := range statusLine.FindAllSubmatch(got, -1) {
		// The server treats the closed writing half of the connection as a disconnect.
		gone := bytes.Contains(got, []byte("HTTP/1.1 503")) && !bytes.Contains(got, []byte("Retry-After"))
		switch method, _, _ := strings.Cut(text, " "); {
		case gone:
			became = gaveUp
		case string(status[1]) == "5" && !notOurs.Match(got):
			t.Errorf("SPECTERD_SEED=%d, mutation %d: %s\n%q", b.seed, i, got, text)
		case string(status[1]) == "2" && slices.Contains(safeMethods, method):
			became = becameRead
		case string(status[1]) == "2":
			b.wantRight(t, i, text)
			became = becameWrite
		}
	}
	return became
}

// wantRight fails the test unless an accepted request has exactly one Authorization header
// with a valid credential, and either no body or one that strictJSON accepts.
func (b *mutationTest) wantRight(t *testing.T, i int, text string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	testkit.Check(t, err)
	body, err := io.ReadAll(r.Body)
	testkit.Check(t, err)
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	known := slices.ContainsFunc(b.credentials, func(c string) bool {
		kind, secret, _ := strings.Cut(c, " ")
		return secret == credential && strings.EqualFold(kind, scheme)
	})
	if err := strictJSON(body); !known || len(r.Header["Authorization"]) != 1 || len(body) > 0 && err != nil {
		t.Errorf("SPECTERD_SEED=%d, mutation %d was accepted: %v\n%q", b.seed, i, err, text)
	}
}

// strictJSON returns an error unless text is valid JSON in UTF-8 with at most 32 levels, and
// without names in an object that are equal or differ only in case.
func strictJSON(text []byte) error {
	if !json.Valid(text) || !utf8.Valid(text) {
		return fmt.Errorf("invalid JSON or UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	names := [][]string{nil} // names in each open object or array; nil for an array
	isName := false
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		top := len(names) - 1
		switch token {
		case json.Delim('{'), json.Delim('['):
			if names = append(names, nil); len(names) > 33 {
				return fmt.Errorf("nested too deeply")
			}
			if token == json.Delim('{') {
				names[top+1] = []string{""}
			}
		case json.Delim('}'), json.Delim(']'):
			names = names[:top]
		default:
			if names[top] != nil && isName {
				name := strings.ToLower(token.(string))
				if slices.Contains(names[top][1:], name) {
					return fmt.Errorf("duplicate name")
				}
				names[top] = append(names[top], name)
				isName = false
				continue
			}
		}
		isName = names[len(names)-1] != nil
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

var methods = []string{"get", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "PROPFIND", "QUERY", "X", "POST", "GET"}

// scraps are inserted into bodies, targets and headers.
var scraps = []string{
	"\x00", "\xff", "\xc0\x80", "\xed\xa0\x80", "\u2028", "\ufeff", "ſ", "K", "é", "\"", "\\", "\\u0000", "\\ud800", "\\u0061", "{", "}", "[", "]", ",", ":", " ", "\n", "\t",
	"null", "true", "-", "0", "1e400", "1E-400", "-0", "0x10", "1_0", "99999999999999999999", "1.7976931348623157e309", "NaN", "Infinity", "//", "/*", "'", "' OR '1'='1",
	"%00", "%ff", "%2f", "%2e%2e", "../", "%", "%zz", "?", "#", ";", "&", "=", "+", "\r", "<script>", "${x}", "{{x}}", strings.Repeat("9", 400), strings.Repeat("x", 5000), strings.Repeat("[", 40),
}

func mutateBytes(r *rand.Rand, text []byte) []byte {
	if len(text) == 0 {
		return []byte(pick(r, scraps))
	}
	text = slices.Clone(text)
	at := r.IntN(len(text))
	end := min(len(text), at+1+r.IntN(20))
	switch r.IntN(7) {
	case 0:
		text[at] ^= 1 << r.IntN(8)
	case 1:
		text[at] = byte(r.IntN(256))
	case 2:
		return slices.Insert(text, at, []byte(pick(r, scraps))...)
	case 3:
		return slices.Delete(text, at, end)
	case 4:
		return text[:at]
	case 5:
		return slices.Insert(text, at, slices.Clone(text[at:end])...)
	default:
		other := r.IntN(len(text))
		text[at], text[other] = text[other], text[at]
	}
	return text
}

var tokenInJSON = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null`)

// values are replacements for the JSON values in a body.
var values = []string{
	"null", "true", "false", "0", "-1", "1", "0.1", "1e-05", "1e400", "-1e400", "9223372036854775808", "21000000.00000001", "2100000000000001", `""`, `"x"`, `"\u0000"`, `"\ud800"`, `"0.1"`,
	"[]", "{}", "[null]", `{"":""}`, `{"a":1,"a":2}`, `[1,2,3]`, `"now"`, `"1 day"`, `"99999999999 years"`, `"never"`, `"admin"`, `"btc"`, `"sat"`, `"*"`, `["*"]`, `["tokens:*"]`,
	`"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"`, `"2026-12-01T10:00:00Z"`, `"9999-99-99T99:99:99Z"`,
}

// mutateBody changes bytes or JSON tokens of a body.
func mutateBody(r *rand.Rand, body, other string) string {
	if len(body) > large || r.IntN(3) == 0 {
		return string(mutateBytes(r, []byte(body)))
	}
	tokens := tokenInJSON.FindAllStringIndex(body, 64)
	if len(tokens) == 0 {
		return body + pick(r, scraps)
	}
	at := pick(r, tokens)
	token, before, after := body[at[0]:at[1]], body[:at[0]], body[at[1]:]
	switch r.IntN(8) {
	case 0:
		depth := 1 + r.IntN(60)
		return before + strings.Repeat("[", depth) + token + strings.Repeat("]", depth) + after
	case 1: // swap two tokens
		swapped := pick(r, tokens)
		if swapped[0] < at[1] {
			return before + body[swapped[0]:swapped[1]] + after
		}
		return before + body[swapped[0]:swapped[1]] + body[at[1]:swapped[0]] + token + body[swapped[1]:]
	case 2: // add a member, perhaps with a duplicate name
		return strings.Replace(body, "{", "{"+jsonName(r, body, tokens)+":"+pick(r, values)+",", 1)
	case 3: // replace letters by similar or escaped ones
		return before + strings.NewReplacer("s", "ſ", "k", "K", "a", "\\u0061", "i", "I", "e", "E").Replace(token) + after
	case 4:
		if found := tokenInJSON.FindAllString(other[:min(len(other), large)], 64); len(found) > 0 {
			return before + pick(r, found) + after
		}
		return before + after
	default:
		return before + pick(r, values) + after
	}
}

func jsonName(r *rand.Rand, body string, tokens [][]int) string {
	at := pick(r, tokens)
	if text := body[at[0]:at[1]]; text[0] == '"' {
		return text
	}
	return `"x"`
}

// mutateTarget changes the path or the query.
func mutateTarget(r *rand.Rand, target, other string) string {
	path, query, hasQuery := strings.Cut(target, "?")
	segments := strings.Split(path, "/")
	switch r.IntN(7) {
	case 0:
		return string(mutateBytes(r, []byte(target)))
	case 1:
		segments[r.IntN(len(segments))] = pick(r, scraps)
		return strings.Join(segments, "/") + "?" + query
	case 2:
		return path + "//" + "?" + query
	case 3:
		return target + pick(r, []string{"?", "&"}) + pick(r, []string{"limit", "cursor", "status", "x", "since", "sort", "%00", "limit%00"}) + "=" + pick(r, scraps)
	case 4:
		if hasQuery {
			return target + "&" + query
		}
		return target + "?" + pick(r, scraps)
	case 5:
		_, otherQuery, _ := strings.Cut(other, "?")
		return path + "?" + otherQuery
	default:
		return "/" + pick(r, []string{"", "api", "api/v1", "api/v1alpha", "API/V1"}) + path
	}
}

// mutateHeader changes the Authorization header or adds a header.
func (m *mutant) mutateHeader(r *rand.Rand) {
	at := slices.IndexFunc(m.header, func(line string) bool { return strings.HasPrefix(line, "Authorization: ") })
	if at < 0 || r.IntN(3) == 0 {
		m.header = append(m.header, pick(r, headers)+pick(r, scraps))
		return
	}
	scheme, credential, _ := strings.Cut(strings.TrimPrefix(m.header[at], "Authorization: "), " ")
	switch r.IntN(9) {
	case 0:
		m.header = append(m.header, m.header[at])
	case 1:
		m.header = slices.Delete(m.header, at, at+1)
	case 2:
		m.header[at] = "Authorization: " + strings.ToLower(scheme) + " " + credential
	case 3:
		m.header[at] = "Authorization: " + scheme + pick(r, []string{"", "  ", "\t", ",", ":", " = "}) + credential
	case 4:
		m.header[at] = "Authorization: " + pick(r, []string{"Basic", "Bearer", "Digest", "Negotiate", "Token", ""}) + " " + credential
	case 5:
		m.header[at] = "Authorization: " + scheme + " " + credential + pick(r, scraps)
	case 6: // flip unused bits in the last character of base64
		front := strings.TrimRight(credential, "=")
		if front == "" {
			return
		}
		last := len(front) - 1
		m.header[at] = "Authorization: " + scheme + " " + front[:last] + string(rune(front[last]^byte(1+r.IntN(3)))) + credential[last+1:]
	case 7:
		m.header[at] = "Authorization: " + scheme + " " + strings.TrimRight(credential, "=")
	default:
		m.header[at] = "Authorization: " + scheme + " " + string(mutateBytes(r, []byte(credential)))
	}
}

var headers = []string{
	"Content-Type: ", "Content-Type: application/json; charset=", "Content-Type: text/plain", "Content-Encoding: gzip", "Accept: ", "Host: ", "Origin: https://", "Sec-Fetch-Site: cross-site",
	"X-Forwarded-For: ", "X-Request-Id: ", "Idempotency-Key: ", "If-Match: ", "If-None-Match: ", "If-Match: \"1\"", "Range: bytes=0-", "Expect: 100-continue", "Cookie: ", "Content-Length: ", "Transfer-Encoding: chunked",
	"Transfer-Encoding: ", "Connection: ", "Upgrade: ", "X-HTTP-Method-Override: DELETE",
}
