package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestAudit shows events, filters and pages of the audit log.
func TestAudit(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		admin, bob := s.admin(t), s.user(t, "bob", false)
		token := bob.get("/tokens/new").submit("/tokens", "description", "reader", "preset", "own", "scopes", "tokens:write", "scopes", "node:read").want(200).preText("token")
		s.sql(t, "UPDATE audit SET at = $1 WHERE action = 'user.create' AND target = 'bob'", time.Date(2026, 3, 14, 23, 59, 0, 0, time.UTC).UnixMicro())
		for range 60 {
			s.child(t, token, `{"description": "`+unique("child ")+`", "lifetime": "1 hour", "scopes": ["node:read"]}`)
		}
		s.visitor(t).get("/login").submit("/login", "user", "bob", "password", "wrong").want(401)
		var p *document
		testkit.Eventually(t, "the refused login is in the log", func() bool {
			p = admin.get("/audit")
			return strings.Contains(p.text(), "Refused")
		})
		p.want(200, "in the order of the hash chain", "their names are private to the members", "token.create", "bob", "Earlier events", "127.0.0.1", "token", "scopes node:read")
		p.follow("Earlier events").want(200, "session.create", "Latest events").follow("Latest events").want(200, "Refused")
		all := rowsOf(p)
		for _, c := range []struct {
			filter     string
			has, lacks string
		}{
			{"user=bob&action=token", "token.create", "session.create"},
			{"action=session.create", "session.create", "token.create"},
			{"outcome=refused", "login", "token.create"},
			{"target=bob", "user.create", "token.create"},
			{"since=2999-01-01", "No event matches", "token.create"},
			{"until=2001-01-01", "No event matches", "token.create"},
			{"target=bob&since=2026-03-14&until=2026-03-14", "user.create", "token.create"},
			{"user=bob&action=token&outcome=ok&since=2020-01-01&until=2999-01-01", "token.create", "Refused"},
		} {
			t.Run(c.filter, func(t *testing.T) {
				p := admin.get("/audit?"+c.filter).want(200, c.has)
				for _, row := range rowsOf(p) {
					if strings.Contains(row, c.lacks) {
						t.Errorf("the filter shows %s", row)
					}
				}
				shown, want := fields(p.forms("/audit")[0]), testkit.Must(url.ParseQuery(c.filter))
				for name := range want {
					if shown.Get(name) != want.Get(name) {
						t.Errorf("the form shows %s=%s", name, shown.Get(name))
					}
				}
			})
		}
		if len(all) != 50 {
			t.Errorf("a page has %d events", len(all))
		}
		second := admin.get("/audit?user=bob&action=token").follow("Earlier events").want(200, "token.create")
		if n := len(rowsOf(second)); n != 11 || second.at.Query().Get("user") != "bob" {
			t.Errorf("the second page has %d events: %s", n, second.at)
		}
		admin.get("/audit?since=soon&outcome=maybe").want(400, "must be ok or refused", "Must be a date such as")
		admin.get("/audit?before=x").want(404)
	})
}

// rowsOf returns the texts of the rows of the table.
func rowsOf(p *document) (out []string) {
	for _, n := range p.all("tr", nil) {
		if n.Parent.Data == "tbody" {
			out = append(out, textOf(n))
		}
	}
	return out
}

// TestAudit_Verify shows the result of the verification before and after the log was changed by
// SQL.
func TestAudit_Verify(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		admin := s.admin(t)
		p := admin.get("/audit").follow("Verify")
		p = p.submit("/audit/verify").want(200, "No event is missing or altered.", "events are in the chain")
		hash := p.preText("last-hash")
		p.submit("/audit/verify", "hash", " "+strings.ToUpper(hash)).want(200, "No event is missing or altered.")
		p.submit("/audit/verify", "hash", "abc").want(400, "Must have 64 hexadecimal digits")
		p.submit("/audit/verify", "hash", strings.Repeat("0", 64)).want(200, "The audit log was changed", "No event has the hash that you entered")
		s.sql(t, "UPDATE audit SET user_name = 'nobody' WHERE audit_id = (SELECT min(audit_id) FROM audit)")
		found := admin.get("/audit/verify").submit("/audit/verify").want(200, "The audit log was changed", "its hash does not match")
		if len(found.all("pre", func(n *html.Node) bool { return attr(n, "id") == "last-hash" })) > 0 {
			t.Error("a changed log shows a hash to keep")
		}
	})
}
