package main

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/psbt"
)

// reply is the recorded part of a response.
type reply struct {
	status                      int
	contentType, location, body string
}

// recording is a request to the original with its response.
type recording struct {
	name                                        string
	method, path, credential, contentType, body string
	reply                                       reply
}

// playedAfter lists recordings that were made later than their numbers suggest: 18 shows the
// PSBT that 24 creates.
var playedAfter = map[string]string{"18": "24"}

// number is the first part of a recording's name.
func (x *recording) number() string { return x.name[:2] }

// readRecordings returns all recordings in the order in which they were made.
func readRecordings(t *testing.T) []recording {
	t.Helper()
	files, err := filepath.Glob(recordings + "*.txt")
	check(t, err)
	var all []recording
	for _, file := range files {
		all = append(all, readRecording(t, file))
	}
	place := func(x recording) string {
		if other, ok := playedAfter[x.number()]; ok {
			return other + "~" + x.name
		}
		return x.name
	}
	slices.SortFunc(all, func(a, b recording) int { return strings.Compare(place(a), place(b)) })
	for i := range all {
		all[i].follow(t, all)
	}
	return all
}

var recordingForm = regexp.MustCompile(`(?s)^> (\w+) (/\S*)\n((?:> [\w-]+: [^\n]+\n)*)(?:>\n> ([^\n]+)\n)?\n< (\d{3})\n((?:< [\w-]+: [^\n]+\n)*)\n(.*)$`)

func readRecording(t *testing.T, file string) recording {
	t.Helper()
	text, err := os.ReadFile(file)
	check(t, err)
	x := recording{name: strings.TrimSuffix(filepath.Base(file), ".txt")}
	parts := recordingForm.FindStringSubmatch(string(text))
	if parts == nil {
		t.Fatalf("%s is not a valid recording", x.name)
	}
	x.method, x.path, x.body, x.reply.body = parts[1], parts[2], parts[4], parts[7]
	x.reply.status, _ = strconv.Atoi(parts[5])
	fields := map[string]*string{
		"> Authorization": &x.credential, "> Content-Type": &x.contentType, "< Content-Type": &x.reply.contentType, "< Location": &x.reply.location,
	}
	for line := range strings.Lines(parts[3] + parts[6]) {
		name, content, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if fields[name] == nil {
			t.Fatalf("%s has the header %q, which is not compared", x.name, name)
		}
		*fields[name] = content
	}
	return x
}

// follow follows a redirect, as clients do, and returns the final response.
func (x *recording) follow(t *testing.T, all []recording) {
	t.Helper()
	if x.reply.location == "" {
		return
	}
	i := slices.IndexFunc(all, func(y recording) bool {
		return y.method == x.method && y.credential == x.credential && strings.HasSuffix(x.reply.location, y.path)
	})
	if i < 0 {
		t.Fatalf("%s redirects to a path that is not recorded", x.name)
	}
	x.reply.body = all[i].reply.body
}

// value is a JSON value, or a response.
type value struct {
	kind    string // text, integer, decimal, bool, null, list, object
	text    string // JSON text of a value without members
	names   []string
	members map[string]*value
}

// put adds or replaces a member.
func (v *value) put(name string, member *value) {
	if v.members[name] == nil {
		v.names = append(v.names, name)
	}
	v.members[name] = member
}

// add adds a member under a unique name.
func (v *value) add(name string, member *value) {
	if v.members == nil {
		v.members = map[string]*value{}
	}
	for first := name; v.members[name] != nil; { // two elements without a distinguishing member
		name = first + "+" + strconv.Itoa(len(v.names))
	}
	v.put(name, member)
}

// reader reads JSON and replaces names by those of the original.
type reader struct {
	*json.Decoder
	names map[string]string
}

// replyOf returns a response as one value.
func replyOf(t *testing.T, a reply, names map[string]string) *value {
	t.Helper()
	all := &value{kind: "object"}
	all.add("status", &value{kind: "integer", text: strconv.Itoa(a.status)})
	all.add("content-type", textValue(a.contentType))
	if a.location != "" {
		all.add("location", textValue(a.location))
	}
	all.add("body", read(t, a.body, names))
	return all
}

// read reads a JSON text.
func read(t *testing.T, text string, names map[string]string) *value {
	t.Helper()
	r := newReader(text, names)
	v, err := r.value("")
	if err == nil {
		_, err = r.Token() // no data may follow
	}
	if !errors.Is(err, io.EOF) {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

func newReader(text string, names map[string]string) *reader {
	r := &reader{json.NewDecoder(strings.NewReader(text)), names}
	r.UseNumber()
	return r
}

func textValue(text string) *value {
	quoted, _ := json.Marshal(text)
	return &value{kind: "text", text: string(quoted)}
}

func (r *reader) rename(text string) string {
	if theirs, ok := r.names[text]; ok {
		return theirs
	}
	return text
}

// value reads the value of a name.
func (r *reader) value(name string) (*value, error) {
	token, err := r.Token()
	if err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return r.object()
		}
		return r.list()
	case string:
		switch name {
		case "base64":
			return r.transactionOf(token)
		case "jwt_token":
			return r.claimsOf(token)
		}
		return textValue(r.rename(token)), nil
	case json.Number:
		if strings.ContainsAny(token.String(), ".eE") {
			return &value{kind: "decimal", text: token.String()}, nil
		}
		return &value{kind: "integer", text: token.String()}, nil
	case bool:
		return &value{kind: "bool", text: strconv.FormatBool(token)}, nil
	}
	return &value{kind: "null", text: "null"}, nil
}

func (r *reader) object() (*value, error) {
	v := &value{kind: "object"}
	for r.More() {
		token, err := r.Token()
		if err != nil {
			return nil, err
		}
		member, err := r.value(token.(string))
		if err != nil {
			return nil, err
		}
		v.add(r.rename(token.(string)), member)
	}
	_, err := r.Token()
	return v, err
}

// list reads a list. Elements are named by their identity if possible, so that corresponding
// elements are compared regardless of their position.
func (r *reader) list() (*value, error) {
	v := &value{kind: "list"}
	for i := 0; r.More(); i++ {
		element, err := r.value("")
		if err != nil {
			return nil, err
		}
		if n := element.members["n"]; n != nil && n.text == strconv.Itoa(i) {
			n.text = "its place" // Core puts the change anywhere
		}
		v.add(element.name(i), element)
	}
	_, err := r.Token()
	return v, err
}

// identities are the members that identify elements of lists.
var identities = []string{"wallet_alias", "txid", "vout", "hex", "address", "scriptPubKey", "pubkey", "name"}

func (v *value) name(i int) string {
	if v.kind != "object" {
		return strconv.Itoa(i)
	}
	var parts []string
	for _, name := range identities {
		m := v.members[name]
		switch {
		case m == nil:
		case name == "scriptPubKey":
			parts = append(parts, m.name(i))
		case len(parts) == 0 || name == "txid" || name == "vout":
			parts = append(parts, strings.Trim(m.text, `"`))
		}
	}
	if parts == nil {
		return strconv.Itoa(i)
	}
	return strings.Join(parts, ":")
}

// transactionOf returns the id of the transaction in a PSBT.
func (r *reader) transactionOf(text string) (*value, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	packet, err := psbt.Parse(raw)
	if err != nil {
		return nil, err
	}
	return textValue(r.rename(packet.Tx().TxID())), nil
}

// claimsOf returns the claims of a token.
func (r *reader) claimsOf(token string) (*value, error) {
	v := &value{kind: "object"}
	parts := strings.Split(token, ".")
	for i, name := range []string{"header", "claims"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, err
		}
		member, err := newReader(string(raw), r.names).value("")
		if err != nil {
			return nil, err
		}
		v.add(name, member)
	}
	return v, nil
}

// difference is a difference between a response of the original and of specterd. A missing
// value is "absent"; a different order of members is "in order" and "in another order".
type difference struct{ path, want, got string }

const absent = "absent"

// compare returns all differences of two values.
func compare(path string, want, got *value) (found []difference) {
	switch {
	case want == nil || got == nil || want.kind != got.kind:
		return []difference{{path, want.String(), got.String()}}
	case want.members == nil && got.members == nil:
		if !sameText(path, want, got) {
			return []difference{{path, want.String(), got.String()}}
		}
		return nil
	}
	for _, name := range want.names {
		found = append(found, compare(path+"."+name, want.members[name], got.members[name])...)
	}
	for _, name := range got.names {
		if want.members[name] == nil {
			found = append(found, compare(path+"."+name, nil, got.members[name])...)
		}
	}
	if want.hasOrder(path) && !slices.Equal(common(want, got), common(got, want)) {
		found = append(found, difference{path, "in order", "in another order"})
	}
	return found
}

// hasOrder reports whether the order of the members is significant. It is not for outputs,
// since Core puts the change at a random position, nor for records of transactions, which
// the original has in two variants.
func (v *value) hasOrder(path string) bool {
	return !strings.HasSuffix(path, ".vout") && !strings.HasSuffix(path, ".outputs") && v.members["bip125-replaceable"] == nil
}

// common returns the names of a that are also in b, in the order of a.
func common(a, b *value) (names []string) {
	for _, name := range a.names {
		if b.members[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// passes are members that change with time, here by at most a second.
var passes = regexp.MustCompile(`\.(jwt_token_remaining_life|jwt_token_life_remaining|exp|iat|time)$`)

func sameText(path string, want, got *value) bool {
	if want.text == got.text {
		return true
	}
	if strings.HasSuffix(path, ".last_update") {
		const layout = `"01/02/2006, 15:04:05"`
		a, err := time.Parse(layout, want.text)
		b, errGot := time.ParseInLocation(layout, got.text, time.Local)
		return err == nil && errGot == nil && a.Sub(b).Abs() <= time.Second
	}
	if want.kind != "integer" && want.kind != "decimal" {
		return false
	}
	a, _ := strconv.ParseFloat(want.text, 64)
	b, _ := strconv.ParseFloat(got.text, 64)
	const noise = 1e-12 // rounding errors of amounts
	return math.Abs(a-b) < noise || passes.MatchString(path) && math.Abs(a-b) <= 1
}

// String returns the JSON text of a value without members, or a description.
func (v *value) String() string {
	switch {
	case v == nil:
		return absent
	case v.text == "":
		return v.kind
	}
	return v.text
}

// table has the lines of testdata/wire/differences.md.
type table []*intended

// intended is an intended difference: a line of the table.
type intended struct {
	line      string
	exchanges []string
	path      []string // * matches any part of a name
	want, got string   // a value, or a kind of value
	times     []int    // number in each of the exchanges
	seen      map[string]int
}

var lineForm = regexp.MustCompile(`^    ((?:\d\d )+) *(\S+) +(.+?) → (.+?)(?: ×([\d,]+))?$`)

func readDifferences(t *testing.T) (all table) {
	t.Helper()
	text, err := os.ReadFile(recordings + "differences.md")
	check(t, err)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "    ") {
			continue
		}
		parts := lineForm.FindStringSubmatch(line)
		if parts == nil {
			t.Fatalf("differences.md: what is %q?", line)
		}
		d := &intended{line: line, exchanges: strings.Fields(parts[1]), path: strings.Split(parts[2], "."), want: parts[3], got: parts[4], seen: map[string]int{}}
		for times := range strings.SplitSeq(cmp.Or(parts[5], "1"), ",") {
			n, err := strconv.Atoi(times)
			check(t, err)
			d.times = append(d.times, n)
		}
		if len(d.times) == 1 {
			d.times = slices.Repeat(d.times, len(d.exchanges))
		}
		if len(d.times) != len(d.exchanges) {
			t.Fatalf("differences.md: %q must have as many numbers as recordings", line)
		}
		all = append(all, d)
	}
	return all
}

// compare reports each difference that is not intended.
func (all table) compare(t *testing.T, x recording, want, got *value) {
	t.Helper()
	found := compare("", want, got)
	for _, d := range found {
		i := slices.IndexFunc(all, func(rule *intended) bool { return rule.covers(x.number(), d) })
		if i < 0 {
			t.Errorf("%s: not intended:\n    %s %s %s → %s", x.name, x.number(), d.path[1:], d.want, d.got)
			continue
		}
		all[i].seen[x.number()]++
	}
}

func (d *intended) covers(exchange string, found difference) bool {
	path := strings.Split(found.path[1:], ".")
	return slices.Contains(d.exchanges, exchange) && said(d.want, found.want) && said(d.got, found.got) &&
		slices.EqualFunc(d.path, path, func(pattern, name string) bool {
			matches, err := filepath.Match(pattern, name)
			return err == nil && matches
		})
}

// said reports whether a line of the table describes a difference.
func said(line, found string) bool {
	switch line {
	case "text":
		return strings.HasPrefix(found, `"`)
	case "integer":
		return regexp.MustCompile(`^-?\d+$`).MatchString(found)
	case "decimal":
		return regexp.MustCompile(`^-?\d+(\.|e|E)`).MatchString(found)
	}
	return line == found
}

// wantAllSeen reports intended differences that do not occur as often as expected.
func (all table) wantAllSeen(t *testing.T) {
	t.Helper()
	for _, d := range all {
		for i, exchange := range d.exchanges {
			if n := d.seen[exchange]; n != d.times[i] {
				t.Errorf("differences.md: %d times in %s, want %d times:\n%s", n, exchange, d.times[i], d.line)
			}
		}
	}
}
