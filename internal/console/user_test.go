package console_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestUsers follows a user from the creation to the deletion by an admin.
func TestUsers(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		const name, password = "Zoë <b>/ 100%", "seven grey donkeys walk"
		admin := s.admin(t)
		p := admin.get("/").follow("Users").want(200, "admin", "Administrator", "Active")
		p.submit("/users", "name", "a:b", "password", password).want(400, "Must not contain a colon").lacks(password)
		p.submit("/users", "name", "zoe", "password", "zoe").want(400, "Must be at least 8 characters long")
		page := p.submit("/users", "name", name, "password", password).want(200, "The user is created.", "The user has no tokens.")
		p.submit("/users", "name", strings.ToUpper(name), "password", password).want(409, "A user of this name already exists")
		zoe := s.visitor(t)
		zoe.signIn(name, password)
		token := zoe.get("/tokens/new").submit("/tokens", "description", "reader").want(200).preText("token")
		page = admin.get(page.path()).want(200, "reader", "Read-only accountant", "All wallets of the user").lacks(token)

		page.submit(page.path()+"/status").want(200, "The user is disabled.", "Disabled since", "The user has no tokens.")
		gone(t, s, zoe, token)
		s.visitor(t).get("/login").submit("/login", "user", name, "password", password).want(401, "or the user is disabled")
		admin.get(page.path()).submit(page.path()+"/status").want(200, "The user is enabled")
		zoe.signIn(name, password)

		admin.get(page.path()).submit(page.path()+"/password", "password", "short").want(400, "Must be at least 8 characters long")
		zoe.get("/").want(200, "Home")
		token = zoe.get("/tokens/new").submit("/tokens", "description", "reader").want(200).preText("token")
		admin.get(page.path()).submit(page.path()+"/password", "password", "nine blue camels rest").want(200, "The password is reset.")
		gone(t, s, zoe, token)
		zoe.signIn(name, "nine blue camels rest")

		zoe.get("/users").want(404)
		admin.post(page.path()+"/status", "status", "admin").want(200, "The user is an admin now.")
		gone(t, s, zoe, token)
		zoe.signIn(name, "nine blue camels rest")
		zoe.get("/users").want(200, "All users")
		admin.post(page.path()+"/status", "status", "user").want(200, "The user is not an admin any more.")
		admin.post(page.path()+"/status", "status", "king").want(400, "must be enabled, disabled, admin or user")
		admin.post("/users/admin/status", "status", "user").want(409, "This is the last active admin")

		admin.get(page.path()).submit(page.path()+"/delete", "name", "other").want(400, "must be the name of the user")
		admin.get(page.path()).submit(page.path()+"/delete").want(200, "The user is deleted.").lacks("Zoë")
		admin.get(page.path()).want(404)
	})
}

// gone fails the test unless a session and a token have ended.
func gone(t *testing.T, s *site, v *visitor, token string) {
	t.Helper()
	if p := v.get("/settings"); p.path() != "/login" {
		t.Errorf("the session still reaches %s", p.path())
	}
	if status := s.status(t, "/api/v1/wallets", token); status != http.StatusUnauthorized {
		t.Errorf("the API answers the token with %d", status)
	}
}

// TestUsers_Proof shows that changes of users require the password.
func TestUsers_Proof(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	s.user(t, "bob", false)
	s.late.Add(int64(11 * time.Minute))
	for path, fields := range map[string][]string{
		"/users":              {"name", "eve", "password", "seven grey donkeys walk"},
		"/users/bob/password": {"password", "seven grey donkeys walk"},
		"/users/bob/status":   {"status", "admin"},
		"/users/bob/quotas":   {"tokens", "3"},
		"/users/bob/tokens":   {"revoke", "all"},
		"/users/bob/delete":   {"name", "bob"},
	} {
		t.Run(path, func(*testing.T) {
			admin.post(path, fields...).want(403, "Enter your password again")
		})
	}
	bob := testkit.Must(s.Users.Get(t.Context(), "bob"))
	if bob.Admin || len(bob.Quotas) > 0 {
		t.Errorf("bob was changed: %+v", bob)
	}
	admin.post("/users/bob/status", "status", "admin").submit("/users/bob/status", "_password", adminPassword).want(200, "The user is an admin now.")
}

// TestUsers_Quotas shows and changes the limits of a user.
func TestUsers_Quotas(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin, bob := s.admin(t), s.user(t, "bob", false)
	p := admin.get("/users/bob").submit("/users/bob/quotas", "tokens", "1", "wallets", "12 000").want(400, "Must be a number between 0 and 1000000000")
	if got := fields(p.forms("/users/bob/quotas")[0]); got.Get("tokens") != "1" || got.Get("wallets") != "12 000" {
		t.Errorf("the form does not show what was entered: %v", got)
	}
	admin.get("/users/bob").submit("/users/bob/quotas", "tokens", "1", "wallets", "12000").want(200, "The limits are saved.")
	if got := testkit.Must(s.Users.Get(t.Context(), "bob")).Quotas.String(); got != "tokens=1,wallets=12000" {
		t.Errorf("stored is %q", got)
	}
	bob.get("/settings").want(200, "0 of 1 ", "0 of 12 000")
	bob.get("/tokens/new").submit("/tokens", "description", "one").want(200)
	bob.get("/tokens/new").submit("/tokens", "description", "two").want(409, "The quota tokens is exceeded")
	admin.get("/users/bob").submit("/users/bob/quotas", "wallets", "").want(200, "The limits are saved.")
	if got := testkit.Must(s.Users.Get(t.Context(), "bob")).Quotas.String(); got != "tokens=1" {
		t.Errorf("stored is %q", got)
	}
	admin.get("/users/bob").submit("/users/bob/tokens").want(200, "All tokens of the user are revoked.", "The user has no tokens.")
}

// TestUsers_Pages shows that a long list has several pages, which contain each user once.
func TestUsers_Pages(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i := range 220 {
		testkit.Must(s.Users.Create(t.Context(), auth.Operator("test"), "Person "+strconv.Itoa(i), "the password of person 41", false))
	}
	rows, _ := s.admin(t).get("/users").countRows()
	if rows != 221 {
		t.Errorf("the pages list %d users", rows)
	}
}

// TestAdmins shows that only admins reach the pages of admins.
func TestAdmins(t *testing.T) {
	t.Parallel()
	s := open(t)
	bob := s.user(t, "bob", false)
	s.user(t, "100% admin", false)
	s.admin(t).get("/users").follow("100% admin").want(200, "100% admin", "Reset password")
	bob.get("/").lacks(`href="/users"`, `href="/audit"`)
	for _, path := range []string{"/users", "/users/admin", "/users/bob", "/users/nobody", "/audit", "/audit/verify"} {
		bob.get(path).want(404).lacks("Administrator", "bob@")
	}
	for _, path := range []string{"/users", "/users/bob/password", "/users/bob/status", "/users/bob/quotas", "/users/bob/tokens", "/users/bob/delete", "/audit/verify"} {
		bob.post(path, "status", "admin", "name", "bob", "password", "seven grey donkeys walk").want(404)
	}
	if testkit.Must(s.Users.Get(t.Context(), "bob")).Admin {
		t.Error("bob is an admin")
	}
}
