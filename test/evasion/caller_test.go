package evasion

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// caller sends requests with one credential. Every response is searched for the PSBTs of
// proposals that are not released.
type caller struct {
	w        *world
	name     string // of the user
	password string
	auth     string // value of the header Authorization
	id       string // of the token
	depth    int    // number of ancestors of the token
}

// reply is a response of the API.
type reply struct {
	w      *world
	what   string // the request
	status int
	body   string
	fields map[string]any
}

// basic returns the caller with the password of the user instead of a token.
func (c *caller) basic() *caller {
	text := base64.StdEncoding.EncodeToString([]byte(c.name + ":" + c.password))
	return &caller{w: c.w, name: c.name, password: c.password, auth: "Basic " + text}
}

// do sends a request. The body is a JSON value, or a text that is sent as it is; nil for none.
// Headers are pairs of a name and a value.
func (c *caller) do(method, path string, body any, headers ...string) reply {
	c.w.t.Helper()
	return c.w.search(path, c.send(method, path, body, headers...))
}

// send is do without the search.
func (c *caller) send(method, path string, body any, headers ...string) reply {
	c.w.t.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		text = string(testkit.Must(json.Marshal(body)))
	}
	text = c.w.fill(text)
	path = strings.Replace(path, "{v}", "/api/v1/wallets/vault", 1)
	if !strings.HasPrefix(path, "/api/") {
		path = "/api/v1" + path
	}
	r := testkit.Must(http.NewRequestWithContext(c.w.t.Context(), method, c.w.url+path, strings.NewReader(text)))
	r.Header.Set("Authorization", c.auth)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Set(pair[0], pair[1])
	}
	got, err := http.DefaultClient.Do(r)
	testkit.Check(c.w.t, err)
	defer func() { _ = got.Body.Close() }()
	out := reply{w: c.w, what: c.name + ": " + method + " " + path, status: got.StatusCode, body: string(testkit.Must(io.ReadAll(got.Body)))}
	_ = json.Unmarshal([]byte(out.body), &out.fields)
	return out
}

// text returns a text of the response; empty if it is missing or null.
func (r reply) text(field string) string {
	text, _ := r.fields[field].(string)
	return text
}

// code returns the code of an error; empty for a success.
func (r reply) code() string {
	if r.status < 300 {
		return ""
	}
	message := r.text("message") // v1alpha has no codes
	switch {
	case r.status == http.StatusForbidden && strings.Contains(message, "not permitted by a spending policy"):
		return "policy_refused"
	case r.status == http.StatusConflict && strings.Contains(message, "awaits approval"):
		return awaiting
	}
	return r.text("code")
}

// ok fails the attempt unless the request succeeded.
func (r reply) ok() reply {
	r.w.t.Helper()
	if r.status >= 300 {
		r.w.t.Fatalf("%s: %d %s", r.what, r.status, r.short())
	}
	return r
}

// refused fails the attempt unless the response is an error with one of the codes.
func (r reply) refused(codes ...string) {
	r.w.t.Helper()
	if r.status < 400 || r.status >= 500 || !slices.Contains(codes, r.code()) {
		r.w.t.Errorf("%s: %d %s, want %s", r.what, r.status, r.short(), strings.Join(codes, " or "))
	}
}

// short returns the beginning of the body.
func (r reply) short() string { return r.body[:min(len(r.body), 600)] }

// has fails the attempt unless the response is a success and its field status has this value.
func (r reply) has(status string) reply {
	r.w.t.Helper()
	if r.ok().text("status") != status {
		r.w.t.Fatalf("%s: the status is %s, want %s", r.what, r.text("status"), status)
	}
	return r
}

// id returns the id of the created object.
func (r reply) id() string {
	r.w.t.Helper()
	id := r.ok().text("id")
	if id == "" {
		r.w.t.Fatalf("%s: the response has no id: %s", r.what, r.short())
	}
	return id
}

type fields map[string]any

// with returns the fields with others, which replace fields of the same name.
func (f fields) with(other fields) fields {
	out := maps.Clone(f)
	maps.Copy(out, other)
	return out
}

// pay returns a request that pays each amount to another address that belongs to no wallet.
func pay(amounts ...int64) fields {
	var to []any
	for i, amount := range amounts {
		to = append(to, fields{"address": foreign(i), "amount_sat": amount})
	}
	return fields{"recipients": to, "fee_rate_sat_vb": 2}
}

// payTo returns a request that pays an amount to an address. It can contain placeholders.
func payTo(address string, amount int64) fields {
	return fields{"recipients": []any{fields{"address": address, "amount_sat": amount}}, "fee_rate_sat_vb": 2}
}

// alpha returns the same request for v1alpha.
func alpha(amount float64, unit string, more fields) fields {
	return fields{"recipients": []any{fields{"address": foreign(0), "amount": amount, "unit": unit}}, "fee_rate": 2}.with(more)
}

const (
	proposals      = "{v}/proposals"
	alphaProposals = "/api/v1alpha/wallets/vault/psbt"
	policyPath     = "{v}/policy"
)

// propose sends a request for a proposal.
func (c *caller) propose(body any, headers ...string) reply {
	c.w.t.Helper()
	return c.do("POST", proposals, body, headers...)
}

// proposeAlpha sends a request for a proposal in v1alpha.
func (c *caller) proposeAlpha(body any) reply {
	c.w.t.Helper()
	return c.do("POST", alphaProposals, body)
}

// bump sends a request for a replacement with a higher fee rate.
func (c *caller) bump(id string, rate float64) reply {
	c.w.t.Helper()
	return c.do("POST", proposals+"/"+id+"/bump", fields{"fee_rate_sat_vb": rate})
}

// on sends a request about a proposal: approve, reject, broadcast or abandon; without an action,
// it reads the proposal.
func (c *caller) on(id, action string) reply {
	c.w.t.Helper()
	switch action {
	case "":
		return c.do("GET", proposals+"/"+id, nil)
	case "reject":
		return c.do("POST", proposals+"/"+id+"/reject", fields{"reason": "no"})
	case "cancel":
		return c.do("DELETE", proposals+"/"+id, nil)
	}
	return c.do("POST", proposals+"/"+id+"/"+action, nil)
}

// sign signs the PSBT of a released proposal with the key of the vault, and uploads it.
func (c *caller) sign(id string) reply {
	c.w.t.Helper()
	packet := testkit.Must(base64.StdEncoding.DecodeString(c.on(id, "").ok().text("psbt")))
	return c.upload(id, c.w.node.Sign(c.w.t, packet, c.w.vault.signer))
}

func (c *caller) upload(id string, packet []byte) reply {
	c.w.t.Helper()
	return c.do("POST", proposals+"/"+id+"/signatures", fields{"psbt": base64.StdEncoding.EncodeToString(packet)})
}

// spend signs and broadcasts a released proposal.
func (c *caller) spend(id string) reply {
	c.w.t.Helper()
	c.sign(id).ok()
	return c.on(id, "broadcast")
}

// token creates a token with all scopes of the user, or with these fields, and with a policy
// unless it is empty. It records the policies that apply to its payments: its own and the caller's.
func (c *caller) token(policy string, more fields) (*caller, reply) {
	c.w.t.Helper()
	body := fields{"description": unique("attempt"), "scopes": auth.ScopesOf(false).Names(), "lifetime": fmt.Sprintf("%dh", 24-c.depth)}.with(more)
	if policy != "" {
		body["policy"] = json.RawMessage(c.w.fill(policy))
	}
	r := c.do("POST", "/tokens", body)
	if r.status >= 300 {
		return nil, r
	}
	t := &caller{w: c.w, name: c.name, password: c.password, auth: "Bearer " + r.text("token"), id: r.id(), depth: c.depth + 1}
	chain := c.w.laws.tokens[c.id]
	if policy != "" {
		chain = append(slices.Clone(chain), c.w.document(policy))
	}
	c.w.laws.tokens[t.id] = chain
	return t, r
}

// limited returns a new token with a policy, created with this credential.
func (c *caller) limited(policy string) *caller {
	c.w.t.Helper()
	t, r := c.token(policy, nil)
	r.ok()
	return t
}

// rotate replaces the token by a successor.
func (c *caller) rotate(id, grace string) *caller {
	c.w.t.Helper()
	r := c.do("POST", "/tokens/"+id+"/rotate", fields{"grace_period": grace}).ok()
	t := &caller{w: c.w, name: c.name, password: c.password, auth: "Bearer " + r.text("token"), id: r.id(), depth: c.depth + 1}
	c.w.laws.tokens[t.id] = c.w.laws.tokens[id]
	return t
}
