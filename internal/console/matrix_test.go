package console_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/console"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// kind is a kind of caller of the matrix.
type kind struct {
	name string
	// role is the caller's role in the wallet of the request; empty for none.
	role                    string
	isAdmin, isOut, isEnded bool
}

var kinds = []kind{
	{name: "no session", isOut: true},
	{name: "ended session", isOut: true, isEnded: true},
	{name: "stranger"},
	{name: "viewer", role: "viewer"},
	{name: "proposer", role: "proposer"},
	{name: "signer", role: "signer"},
	{name: "owner", role: "owner"},
	{name: "admin", isAdmin: true},
}

var roles = []string{"viewer", "proposer", "signer", "owner"}

// mayUse reports whether the caller may use a route according to the table.
func (k kind) mayUse(to console.Route) bool {
	switch {
	case to.IsPublic:
		return true
	case k.isOut, to.IsForAdmins && !k.isAdmin:
		return false
	}
	return to.Role == "" || k.role != "" && slices.Index(roles, k.role) >= slices.Index(roles, to.Role)
}

// TestMatrix requests every route with every kind of caller and the identifiers of a wallet that
// not all of them may see. It checks who is let in, that the others learn nothing, and that
// neither a GET nor a refused POST changes a row.
func TestMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, to := range console.Routes() {
		if to.IsLive {
			continue // it does not end; see TestLive
		}
		for _, k := range kinds {
			t.Run(to.Method+" "+to.Path+"/"+k.name, func(t *testing.T) { m.try(t, to, k) })
		}
	}
}

// matrix has the callers, and the identifiers of one wallet.
type matrix struct {
	site    *site
	callers map[string]*visitor
	values  map[string]string // of the parameters in paths
	private []string          // texts that only members may see
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	s := open(t, onOwnNode)
	m := &matrix{site: s, callers: map[string]*visitor{}}
	owner := s.user(t, "owner", false)
	w := owner.vault("treasury")
	address := owner.address(w.alias, "label of the secret invoice")
	txid := owner.pay(w.alias, address, "0.5")
	p := owner.propose(w.alias)
	owner.api("PUT", "/api/v1/wallets/treasury/lists/owner", map[string]any{"entries": []any{map[string]any{"address": address, "label": "secret invoice"}}})
	owner.api("PUT", "/api/v1/wallets/treasury/policy", map[string]any{"policy": map[string]any{"version": 1, "allow": []any{map[string]any{"name": "secret invoice"}}}})
	for _, k := range kinds {
		switch {
		case k.isOut:
			m.callers[k.name] = s.visitor(t)
		case k.name == "owner":
			m.callers[k.name] = owner
		case k.isAdmin:
			m.callers[k.name] = s.admin(t)
		default:
			m.callers[k.name] = s.user(t, k.name, false)
		}
		if k.role != "" && k.role != "owner" {
			owner.member(w.alias, m.callers[k.name], k.role)
		}
	}
	m.values = map[string]string{
		"alias": w.alias, "txid": txid, "address": address, "id": p["id"].(string), "outpoint": txid + ":0", "user": "owner", "name": "owner", "delivery": "msg_8NxLTWvyAuqRuiOCdUwGOq-J", "sheet": "sheet",
	}
	m.private = []string{"Treasury", "secret invoice", address, p["id"].(string)}
	return m
}

// path returns the path of a request to a route.
func (m *matrix) path(t *testing.T, to console.Route) string {
	t.Helper()
	path := to.Path
	for name, value := range m.values {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	if strings.Contains(path, "{") {
		t.Fatalf("add a value for %s to newMatrix", to.Path)
	}
	return path
}

func (m *matrix) caller(t *testing.T, k kind) *visitor {
	t.Helper()
	v := m.callers[k.name]
	if k.isEnded { // a browser with the cookie of a session that was ended
		v = m.site.user(t, unique("gone"), false)
		m.site.sql(t, "DELETE FROM sessions WHERE user_id = (SELECT user_id FROM users WHERE name = $1)", v.name)
	}
	own := *v
	own.t = t
	return &own
}

func (m *matrix) try(t *testing.T, to console.Route, k kind) {
	v, path := m.caller(t, k), m.path(t, to)
	if !k.isOut && to.IsPublic && to.Method == http.MethodPost {
		return // it would end the session
	}
	testkit.Eventually(t, "the UTXOs of proposals cancelled before are unlocked", func() bool {
		var left int
		testkit.Check(t, m.site.db.QueryRowContext(t.Context(), "SELECT count(*) FROM reserved WHERE proposal_id IS NULL").Scan(&left))
		return left == 0
	})
	before := m.rows(t)
	var p *document
	if to.Method == http.MethodGet {
		p = v.get(path)
	} else {
		p = v.post(path, "nothing", "at all")
	}
	allowed := k.mayUse(to)
	switch {
	case p.status >= 500:
		t.Errorf("status %d: %s", p.status, p.text())
	case to.IsPublic:
	case k.isOut:
		if p.path() != "/login" {
			t.Errorf("without a session, the caller reaches %s", p.path())
		}
	case allowed && to.Method == http.MethodGet:
		m.checkPage(t, to, p)
	case allowed && p.status == http.StatusUnauthorized:
		t.Error("a caller with a session is not let in")
	case !allowed && to.Role != "" && k.role != "":
		if p.status != http.StatusForbidden {
			t.Errorf("a %s gets %d instead of 403", k.role, p.status)
		}
	case !allowed && p.status != http.StatusNotFound:
		t.Errorf("status %d instead of 404", p.status)
	}
	if allowed && to.Method == http.MethodPost && !to.IsPublic {
		m.checkAddress(t, v, p)
	}
	if !allowed && k.role == "" {
		p.lacks(m.secrets(k, path)...)
	}
	if to.Method == http.MethodGet || !allowed {
		if after := m.rows(t); after != before {
			t.Errorf("the request has changed rows:\n%s", firstDifference(before, after))
		}
	}
}

// checkAddress checks that a page shown after a POST has an address at which live.js can request
// it again: the same page, if its forms depend on a state.
func (m *matrix) checkAddress(t *testing.T, v *visitor, p *document) {
	t.Helper()
	address := attr(p.all("body", nil)[0], "data-address")
	if address == "" {
		return // without a user
	}
	fresh := v.get(address)
	if fresh.status == http.StatusMethodNotAllowed || !strings.HasPrefix(p.path(), strings.Split(fresh.path(), "?")[0]) {
		t.Errorf("the page at %s has the address %s, which shows %d %s", p.path(), address, fresh.status, fresh.path())
	}
	if state := contentState(p); state != "" && contentState(fresh) != state {
		t.Errorf("the page at %s has the state %s, and its address %s has %s", p.path(), state, address, contentState(fresh))
	}
}

// contentState returns the state of the content of a page.
func contentState(p *document) string {
	return attr(p.all("div", func(n *html.Node) bool { return attr(n, "id") == "content" })[0], "data-state")
}

// secrets returns the texts that a caller must not see. The page of sign-in repeats the path of
// the request.
func (m *matrix) secrets(k kind, path string) []string {
	return slices.DeleteFunc(slices.Clone(m.private), func(text string) bool { return k.isOut && strings.Contains(path, text) })
}

// checkPage checks a page that the caller may see. The identifier in the path may be of another
// kind of object, in which case the page does not exist.
func (m *matrix) checkPage(t *testing.T, to console.Route, p *document) {
	t.Helper()
	isOfWallet := strings.HasPrefix(to.Path, "/wallets/{alias}")
	if p.status == http.StatusNotFound && strings.Contains(to.Path, "{id}") && !isOfWallet {
		return
	}
	if p.status != http.StatusOK {
		t.Errorf("status %d: %s", p.status, p.text())
	}
}

// rows returns the rows of all tables that requests may change, without the times of the last
// requests and the audit log of logins.
func (m *matrix) rows(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	for _, table := range []string{
		"users", "wallets", "members", "invitations", "devices", "wallet_keys", "addresses", "frozen", "labels", "proposals", "proposal_signatures", "proposal_steps", "reserved",
		"policies", "policy_changes", "tokens", "rotations", "webhooks", "webhook_secrets", "deliveries",
	} {
		m.tableRows(t, &text, table)
	}
	return text.String()
}

func (m *matrix) tableRows(t *testing.T, text *strings.Builder, table string) {
	t.Helper()
	rows, err := m.site.db.QueryContext(context.Background(), "SELECT * FROM "+table+" ORDER BY 1, 2")
	testkit.Check(t, err)
	defer func() { _ = rows.Close() }()
	columns := testkit.Must(rows.Columns())
	values, targets := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		targets[i] = &values[i]
	}
	for rows.Next() {
		testkit.Check(t, rows.Scan(targets...))
		text.WriteString(table)
		for i, column := range columns {
			if !strings.HasPrefix(column, "last_") && !strings.HasPrefix(column, "synced_") && column != "core_info" && column != "core_txcount" {
				fmt.Fprint(text, " ", column, "=", values[i])
			}
		}
		text.WriteString("\n")
	}
	testkit.Check(t, rows.Err())
}

func firstDifference(before, after string) string {
	old := strings.Split(before, "\n")
	for i, line := range strings.Split(after, "\n") {
		if i >= len(old) || line != old[i] {
			return line
		}
	}
	return "a row is missing"
}
