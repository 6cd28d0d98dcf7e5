package console_test

import "testing"

// TestBrowser_Access looks at the pages of access in Chromium, with data.
func TestBrowser_Access(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	r.status.Store(500)
	s := open(t, allowing(r))
	admin := s.admin(t)
	s.user(t, "bob", false).get("/tokens/new").submit("/tokens", "description", "bot").want(200)
	for _, fields := range [][]string{
		{"description", "Accounting export"},
		{"description", "Proposals of the ERP system", "preset", "proposer", "lifetime", "other", "other", "2h"},
		{"description", "Everything", "preset", "own", "scopes", "tokens:write", "scopes", "proposals:create"},
	} {
		admin.get("/tokens/new").submit("/tokens", fields...).want(200)
	}
	paths := []string{
		"/tokens", "/tokens/new", "/tokens/new?preset=own", admin.get("/tokens").follow("Everything").path(),
		"/users", "/users/bob", "/users/admin", "/audit", "/audit?action=nothing", "/audit/verify", "/node", "/settings",
	}
	admin.get("/webhooks/new").submit("/webhooks", "description", "shop", "url", r.url, "events", "only", "kinds", "token").want(200)
	admin.get("/tokens/new").submit("/tokens", "description", "another token").want(200)
	hook := admin.get("/webhooks").follow("shop").path()
	eventually(t, admin, hook, "Status 500")
	paths = append(paths, "/webhooks", "/webhooks/new", hook, hook+"/edit", admin.get(hook).follow("token.created").path())
	b := s.chromium(t)
	b.open("/login")
	b.signIn("admin", adminPassword)
	b.see("Home")
	for _, path := range paths {
		b.inspect(path)
	}
}

// TestBrowser_FirstToken sets the first admin's password and creates a token for a script, with
// three clicks after the sign-in.
func TestBrowser_FirstToken(t *testing.T) {
	t.Parallel()
	s := open(t, with("SPECTER_ADMIN_PASSWORD", ""))
	b := s.chromium(t)
	b.open("/")
	b.see("Welcome")
	b.inspectHere("first-run")
	b.fill("password", adminPassword)
	b.press("Set password and sign in")
	b.see("Your password is set.")
	b.press("Access tokens")
	b.see("You have no tokens")
	b.press("Create token")
	b.see("What is the token for?")
	b.fill("description", "backup script")
	b.press("Create token")
	b.see("Copy the token now")
	b.inspectHere("token-secret")
	token := evaluate[string](b, `document.getElementById("token").textContent`)
	if status := s.status(t, "/api/v1/wallets", token); status != 200 {
		t.Errorf("the API answers the token with %d", status)
	}
	b.press("Done")
	b.see("backup script")
}
