package console_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// preText returns the content of the element pre with an id.
func (d *document) preText(id string) string {
	d.by.t.Helper()
	found := d.all("pre", func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		d.by.t.Fatalf("%s has %d elements pre with the id %s: %s", d.at, len(found), id, d.text())
	}
	return textOf(found[0])
}

// TestToken follows a token from its creation, with as few clicks as possible, to its
// revocation.
func TestToken(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		admin := s.admin(t)
		p := admin.get("/").follow("Access tokens").want(200, "You have no tokens").follow("Create token")
		const reads = "balances, the whole history, addresses, labels, members"
		if n := strings.Count(p.text(), reads); n != 3 {
			t.Errorf("%d presets say completely what they read: %s", n, p.text())
		}
		shown := p.submit("/tokens", "description", "accounting").want(200, "Token accounting created", "only this time", "Read wallets", "All wallets")
		token := shown.preText("token")
		if command := shown.preText("command"); !strings.Contains(command, "TOKEN="+token) || !strings.Contains(command, s.url+"/api/v1/wallets") {
			t.Errorf("the command is %s", command)
		}
		want := "(umask 077 && echo " + token + " > specterd.token) specterd --server " + s.url + " --token-file specterd.token wallet list"
		if command := shown.preText("command-line"); command != want {
			t.Errorf("the command line is %s, want %s", command, want)
		}
		if got := shown.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("the page with the token may be stored: %q", got)
		}
		if status := s.status(t, "/api/v1/wallets", token); status != 200 {
			t.Fatalf("the API answers the new token with %d", status)
		}
		if status := s.status(t, "/api/v1/tokens", token); status != 403 {
			t.Errorf("a read-only token lists tokens: %d", status)
		}
		list := admin.get("/tokens").want(200, "accounting", "Read-only accountant", "All wallets", "Active").lacks(token)
		testkit.Eventually(t, "the last use of the token is shown", func() bool { return strings.Contains(admin.get("/tokens").text(), "127.0.0.1") })
		one := list.follow("accounting").want(200, "wallets:read", "Revoke").lacks(token)
		again := admin.get("/tokens/new").submit("/tokens", "description", "accounting")
		again.want(409, "One of your tokens has this description already").lacks(token)
		one.submit(one.path()+"/revoke").want(200, "The token is revoked.", "You have no tokens")
		if status := s.status(t, "/api/v1/wallets", token); status != 401 {
			t.Errorf("after its revocation, the API answers the token with %d", status)
		}
		if p := admin.post(one.path() + "/revoke"); p.status != 404 {
			t.Errorf("revoking it again: %d", p.status)
		}
		admin.get(one.path()).want(404)
	})
}

// TestToken_Limits shows the rights, the wallets and the lifetime that users choose.
func TestToken_Limits(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin, user := s.admin(t), s.user(t, "bob", false)
	cases := map[string]struct {
		fields []string
		want   string // in the text of the answer
		scopes string // empty if the token is refused
		days   int
	}{
		"shop":            {[]string{"preset", "shop", "lifetime", "1 year"}, "Reveal addresses", "wallets:read addresses:write events:read", 365},
		"proposer":        {[]string{"preset", "proposer"}, "Create proposals", "node:read wallets:read proposals:read proposals:create", 90},
		"own choice":      {[]string{"preset", "own", "scopes", "node:read", "lifetime", "other", "other", "45 days"}, "Read the node's status", "node:read", 45},
		"no right":        {[]string{"preset", "own"}, "Choose at least one right", "", 0},
		"unknown right":   {[]string{"preset", "own", "scopes", "wallets:steal"}, "Contains an unknown scope", "", 0},
		"no wallet":       {[]string{"reach", "only"}, "Choose at least one wallet", "", 0},
		"foreign wallet":  {[]string{"reach", "only", "wallets", "vault"}, "Contains a wallet that is not among your wallets", "", 0},
		"bad lifetime":    {[]string{"lifetime", "other", "other", "soon"}, "Must be a duration such as", "", 0},
		"long lifetime":   {[]string{"lifetime", "other", "other", "2 years"}, "Must be at most 365 days", "", 0},
		"two problems":    {[]string{"lifetime", "other", "other", "soon", "reach", "only"}, "Choose at least one wallet", "", 0},
		"scope of admins": {[]string{"preset", "own", "scopes", "audit:read"}, "reserved for admins", "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := user.get("/tokens/new").submit("/tokens", append([]string{"description", name}, c.fields...)...)
			if c.scopes == "" {
				if p.status < 400 || p.status > 499 || !strings.Contains(p.text(), c.want) {
					t.Fatalf("%d: %s", p.status, p.text())
				}
				if len(p.forms("/tokens")) == 0 {
					t.Error("the form is not shown again")
				}
				return
			}
			p.want(200, c.want)
			tokens := testkit.Must(s.Tokens().List(t.Context(), principal(t, s, "bob"), auth.TokenCursor{}, 100))
			last := tokens[len(tokens)-1]
			if last.Description != name || last.Scopes.String() != c.scopes || last.Lifetime != time.Duration(c.days)*24*time.Hour || last.Wallets != nil {
				t.Errorf("stored is %+v", last)
			}
		})
	}
	user.get("/tokens/new").submit("/tokens", "description", " ").want(400, "Is missing or blank")
	user.get("/tokens/new?preset=own").lacks("audit:read", "users:write")
	admin.get("/tokens/new?preset=own").want(200, "audit:read", "users:write")
}

// principal returns a user as after a login with the password.
func principal(t *testing.T, s *site, name string) *auth.Principal {
	t.Helper()
	return auth.Operator("test").For(testkit.Must(s.Users.Get(t.Context(), name)))
}

// TestToken_Family shows which tokens end together, and that rotating one of them shows the
// new token once.
func TestToken_Family(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		admin := s.admin(t)
		create := func(as, description string, scopes ...string) (secret string) {
			fields := []string{"description", description, "preset", "own"}
			for _, scope := range scopes {
				fields = append(fields, "scopes", scope)
			}
			return admin.get("/tokens/new").submit("/tokens", fields...).want(200, as).preText("token")
		}
		parent := create("Manage tokens", "parent", "tokens:write", "tokens:read", "node:read")
		child := s.child(t, parent, `{"description": "child", "lifetime": "1 hour", "scopes": ["node:read"]}`)
		p := admin.get("/tokens")
		if rows := p.all("tr", func(n *html.Node) bool { return attr(n, "class") == "l1" }); len(rows) != 1 || !strings.Contains(textOf(rows[0]), "child") {
			t.Errorf("the child is not below its parent: %s", p.text())
		}
		p = p.follow("parent").want(200, "1 token that was created with it ends together with it", "child")
		rotated := p.submit(p.path()+"/rotate", "grace", "1 hour").want(200, "Token parent rotated", "It works until")
		successor := rotated.preText("token")
		for name, token := range map[string]string{"successor": successor, "predecessor": parent, "child": child} {
			if status := s.status(t, "/api/v1/node", token); status != 200 {
				t.Errorf("after the rotation, the API answers the %s with %d", name, status)
			}
		}
		p.submit(p.path()+"/rotate", "grace", "1 hour").want(409, "The token was changed in the meantime")
		admin.get(p.path()).submit(p.path()+"/rotate", "grace", "soon").want(400, "Must be a duration")
		admin.get(p.path()).want(200, "Rotated").submit(p.path()+"/revoke").want(200, "The token is revoked")
		for token, want := range map[string]int{successor: 200, parent: 401, child: 401} {
			if status := s.status(t, "/api/v1/node", token); status != want {
				t.Errorf("after the revocation, the API answers with %d, not %d", status, want)
			}
		}
	})
}

// TestToken_Proof shows that a token with which payments can be made requires the password.
func TestToken_Proof(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	s.late.Add(int64(11 * time.Minute))
	admin.get("/tokens/new").submit("/tokens", "description", "reader").want(200, "Token reader created")
	asked := admin.get("/tokens/new").submit("/tokens", "description", "proposer", "preset", "proposer").want(403, "Enter your password again", "To create a token with these rights, enter your password again.")
	asked.submit("/tokens", "_password", "wrong").want(403, "The password is wrong")
	admin.get("/tokens").lacks("/tokens/new/proposer").want(200, "reader")
	asked.submit("/tokens", "_password", adminPassword).want(200, "Token proposer created", "Create proposals")
	reader := admin.get("/tokens").follow("reader")
	s.late.Add(int64(11 * time.Minute))
	reader.submit(reader.path()+"/rotate").want(200, "Token reader rotated")
	proposer := admin.get("/tokens").follow("proposer")
	proposer.submit(proposer.path()+"/rotate").want(403, "To rotate a token with these rights, enter your password again.")
}

// TestToken_OfOthers shows that a token of another user is like a missing one.
func TestToken_OfOthers(t *testing.T) {
	t.Parallel()
	s := open(t)
	bob, admin := s.user(t, "bob", false), s.admin(t)
	bob.get("/tokens/new").submit("/tokens", "description", "private token").want(200)
	path := bob.get("/tokens").follow("private token").path()
	for name, p := range map[string]*document{
		"page": admin.get(path), "rotate": admin.post(path+"/rotate", "grace", "1 hour", "description", "private token"), "revoke": admin.post(path + "/revoke"),
		"missing": admin.get("/tokens/31d2b3b5-0000-4000-8000-000000000000"), "cursor": admin.get("/tokens?after=x"),
	} {
		t.Run(name, func(*testing.T) { p.want(404).lacks("private token") })
	}
	bob.get(path).want(200, "Active")
}

// TestTokens_Pages shows that a long list has several pages, which contain each token once.
func TestTokens_Pages(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	who := principal(t, s, "admin")
	for range 120 {
		_, _, err := s.Tokens().Create(t.Context(), who, auth.CreateTokenParams{Description: unique("token "), Lifetime: time.Hour})
		testkit.Check(t, err)
	}
	rows, last := admin.get("/tokens").countRows()
	if rows != 120 {
		t.Errorf("the pages list %d tokens", rows)
	}
	last.follow("First page").want(200, "Next page")
}
