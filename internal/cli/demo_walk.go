package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// walk executes or prints the walk-through for one server.
type walk struct {
	out    io.Writer
	client *http.Client
	url    string
	node   string
	pay    func(ctx context.Context, address string) error
	values map[string]string
	// bodies is the directory in which print stores long request bodies.
	bodies string
	stream *eventStream // nil until a step has opened it
}

func newWalk(out io.Writer, url string, s *scene) *walk {
	return &walk{out: out, client: &http.Client{Timeout: 2 * time.Minute}, url: url, node: s.nodeURL, pay: s.pay, bodies: s.dir, values: map[string]string{
		"admin_password": s.adminPassword, "alice_password": s.userPassword,
		"keys": `["` + strings.Join(s.keys, `", "`) + `"]`, "height": strconv.Itoa(s.height + 1), // of the block with the payment
		"next_height": strconv.Itoa(s.height + 3), "shop": s.shop, "node_user": s.nodeUser,
		"wallet_name": "Community Vault", "script": "wsh", "description_of_vault": "2 of 3 Multisig (Segwit)",
	}}
}

// run executes the walk-through and prints each step. It stops at the first unexpected
// response.
func (w *walk) run(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	defer func() {
		if w.stream != nil {
			w.stream.close()
		}
	}()
	w.values["description"] = "walk-through"
	for i, template := range walkThrough {
		s := w.fillIn(template)
		w.printStep(i, s, dataInline(s))
		answer, err := w.do(ctx, s)
		if answer != nil {
			w.printAnswer(answer.status, answer.body)
		}
		if err == nil && s.shows != "" {
			err = w.showEvent(ctx, s.shows)
		}
		if err != nil {
			return fmt.Errorf("step %d of the walk-through, %s %s: %w", i+1, s.method, s.path, err)
		}
	}
	fmt.Fprintf(w.out, "All %d steps succeeded.\n", len(walkThrough))
	return nil
}

func (w *walk) printAnswer(status string, body []byte) {
	fmt.Fprintf(w.out, "   %s\n", status)
	for _, line := range shorten(body) {
		fmt.Fprintf(w.out, "     %s\n", line)
	}
	fmt.Fprintln(w.out)
}

// print prints the walk-through as commands. Before that, it executes the steps whose
// results other steps use, with different names of objects, so that each command works
// when it is pasted.
func (w *walk) print(ctx context.Context) error {
	defer w.client.CloseIdleConnections()
	w.values["description"] = "created by the demo"
	for _, template := range walkThrough {
		if template.keep == nil && template.pays == "" {
			continue
		}
		if _, err := w.do(ctx, w.fillIn(template)); err != nil {
			return fmt.Errorf("prepare the walk-through: %w", err)
		}
	}
	w.values["description"], w.values["wallet_name"], w.values["script"] = "walk-through", "Second Vault", "sh-wsh"
	fmt.Fprint(w.out, "Paste the commands below into another terminal, one after the other.\n\n")
	for i, template := range walkThrough {
		s := w.fillIn(template)
		data, err := w.dataInFile(i, s)
		if err != nil {
			return err
		}
		w.printStep(i, s, data)
		fmt.Fprintf(w.out, "   # %d %s\n", s.status, http.StatusText(s.status))
		if s.note != "" {
			fmt.Fprintf(w.out, "   # %s\n", s.note)
		}
		if s.shows != "" {
			fmt.Fprintf(w.out, "   # the stream shows %s\n", s.shows)
		}
		fmt.Fprintln(w.out)
	}
	return nil
}

func (w *walk) printStep(i int, s step, data string) {
	fmt.Fprintf(w.out, "%d. %s\n\n   %s\n\n", i+1, s.title, strings.Join(w.curl(s, data), " \\\n     "))
}

// longBody is the number of characters from which on a request body is not printed: a PSBT has
// thousands.
const longBody = 800

// dataInline returns the argument of curl with the body of a step. A long body is cut, because
// nothing but the reader uses the command.
func dataInline(s step) string {
	if len(s.body) < longBody {
		return "-d '" + s.body + "'"
	}
	return cut("-d '"+s.body) + "'"
}

// dataInFile is dataInline for commands that are pasted: it writes a long body to a file.
func (w *walk) dataInFile(i int, s step) (string, error) {
	if len(s.body) < longBody {
		return dataInline(s), nil
	}
	name := filepath.Join(w.bodies, fmt.Sprintf("step-%d.json", i+1))
	if err := os.WriteFile(name, []byte(s.body), 0o600); err != nil {
		return "", fmt.Errorf("write the body of a request: %w", err)
	}
	return "-d @" + name, nil
}

// fillIn replaces the placeholders in a step by the values of the walk.
func (w *walk) fillIn(s step) step {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(w.values)) {
		pairs = append(pairs, "{"+name+"}", w.values[name])
	}
	r := strings.NewReplacer(pairs...)
	if s.method == "" {
		s.method = http.MethodGet
	}
	s.note, s.path, s.basic, s.bearer, s.body, s.pays = r.Replace(s.note), r.Replace(s.path), r.Replace(s.basic), r.Replace(s.bearer), r.Replace(s.body), r.Replace(s.pays)
	return s
}

// curl returns the request of a step as a command, one part per line; data is the argument with its
// body. No value of the
// walk contains a character that is special to the shell.
func (w *walk) curl(s step, data string) []string {
	first := "curl"
	if s.stream {
		first += " -sN"
	}
	if s.status >= http.StatusBadRequest {
		first += " -i"
	}
	if s.method != http.MethodGet {
		first += " -X " + s.method
	}
	if s.basic != "" {
		first += " -u " + s.basic
	}
	url := w.urlOf(s)
	if strings.Contains(url, "?") {
		url = "'" + url + "'"
	}
	parts := []string{first + " " + url}
	if len(parts[0]) > shortLine {
		parts = []string{first, url}
	}
	if s.body != "" {
		parts = append(parts, "-H 'Content-Type: application/json'", data)
	}
	if s.bearer != "" {
		parts = append(parts, "-H 'Authorization: Bearer "+s.bearer+"'")
	}
	if s.idempotencyKey != "" {
		parts = append(parts, "-H 'Idempotency-Key: "+s.idempotencyKey+"'")
	}
	if s.stream {
		parts = append(parts, "-H 'Accept: "+eventStreamType+"' &")
	}
	return parts
}

func (w *walk) urlOf(s step) string {
	if s.atNode {
		return w.node + s.path
	}
	return w.url + s.path
}

// answer is the response to the request of a step.
type answer struct {
	status string
	body   []byte
}

// do sends the request of a step and keeps the values for later steps. If the response
// is unexpected, it returns both the response and an error.
func (w *walk) do(ctx context.Context, s step) (*answer, error) {
	if s.pays != "" {
		if err := w.pay(ctx, s.pays); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, s.method, w.urlOf(s), strings.NewReader(s.body))
	if err != nil {
		return nil, err
	}
	if s.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if name, password, ok := strings.Cut(s.basic, ":"); ok {
		request.SetBasicAuth(name, password)
	}
	if s.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+s.bearer)
	}
	if s.idempotencyKey != "" {
		request.Header.Set("Idempotency-Key", s.idempotencyKey)
	}
	if s.stream {
		return w.open(request)
	}
	response, err := w.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	a := &answer{status: response.Status, body: body}
	if response.StatusCode != s.status {
		return a, fmt.Errorf("the response is %s, want %d %s", response.Status, s.status, http.StatusText(s.status))
	}
	return a, w.judge(s, body)
}

// judge checks a response against the expectations of a step, and stores the values that
// later steps use.
func (w *walk) judge(s step, body []byte) error {
	var members map[string]any
	if err := json.Unmarshal(body, &members); err != nil {
		return fmt.Errorf("the response is not a JSON object: %w", err)
	}
	var err error
	for _, meets := range s.expect {
		err = errors.Join(err, meets(members, w.values))
	}
	for name, value := range s.keep {
		text, ok := member(members, name).(string)
		if !ok {
			err = errors.Join(err, fmt.Errorf("%s is missing in the response", name))
		}
		w.values[value] = text
	}
	return err
}

// expectation is a condition on the members of a response.
type expectation func(members map[string]any, values map[string]string) error

// has returns an expectation that the member at path, such as items.0.label, equals want.
// A want of the form {name}, and a first element {name} of path, are replaced by values
// of the walk.
func has(path string, want any) expectation {
	return func(members map[string]any, values map[string]string) error {
		wanted := want
		if text, ok := want.(string); ok && strings.HasPrefix(text, "{") {
			wanted = values[strings.Trim(text, "{}")]
		}
		path := path
		if first, rest, ok := strings.Cut(path, "}."); ok {
			path = values[strings.Trim(first, "{")] + "." + rest
		}
		if got := member(members, path); got != wanted {
			return fmt.Errorf("%s is %v, want %v", path, got, wanted)
		}
		return nil
	}
}

// atLeast returns an expectation that the member at path is a number not less than least.
func atLeast(path string, least float64) expectation {
	return func(members map[string]any, _ map[string]string) error {
		if got, ok := member(members, path).(float64); !ok || got < least {
			return fmt.Errorf("%s is %v, want at least %v", path, member(members, path), least)
		}
		return nil
	}
}

func member(members map[string]any, path string) any {
	var value any = members
	for name := range strings.SplitSeq(path, ".") {
		switch in := value.(type) {
		case map[string]any:
			value = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil
			}
			value = in[i]
		default:
			return nil
		}
	}
	return value
}

const (
	shortLine  = 94 // characters, so that an indented line fits into 100 columns
	shortLines = 11 // members
)

// shorten returns the first members of a JSON object, one per line and cut to the
// line length.
func shorten(body []byte) []string {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return []string{cut(string(bytes.TrimSpace(body)))}
	}
	var lines []string
	left := 0
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			break
		}
		line := name.String() + ": " // before the next read, which invalidates the token
		value, err := dec.ReadValue()
		if err != nil {
			break
		}
		if len(lines) < shortLines {
			lines = append(lines, cut(line+string(value)))
		} else {
			left++
		}
	}
	if left > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", left))
	}
	return lines
}

func cut(line string) string {
	if runes := []rune(line); len(runes) > shortLine {
		return string(runes[:shortLine-1]) + "…"
	}
	return line
}
