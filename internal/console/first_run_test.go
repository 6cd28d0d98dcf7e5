package console_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestFirstRun sets the password of the first admin.
func TestFirstRun(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.visitor(t)
		p := v.get("/").want(200, "Welcome", "Choose the password of its first administrator").lacks("Setup code")
		if p.path() != "/first-run" {
			t.Fatalf("/ leads to %s", p.path())
		}
		testkit.Must(s.Users.Create(t.Context(), auth.Operator("test"), "bob", "the password of bob 41", false))
		p.follow("Sign in as another user").submit("/login", "user", "bob", "password", "the password of bob 41").want(200, "Home")
		v.get("/").submit("/logout")
		if p := v.get("/tokens"); p.path() != "/login" {
			t.Errorf("/tokens leads to %s, where no other user could sign in", p.path())
		}
		if status := s.request(t, http.MethodGet, "/api/v1/tokens", basic("admin", "admin"), nil).status; status != 200 {
			t.Errorf("before the first run, the API answers admin with %d", status)
		}
		p.submit("/first-run", "password", "admin").want(400, "Must be at least 8 characters long")
		p.submit("/first-run", "password", "adminadmin").want(400, "too easy to guess")
		home := p.submit("/first-run", "password", adminPassword).want(200, "Home", "Your password is set.")
		if home.path() != "/" {
			t.Errorf("the first run ends at %s", home.path())
		}
		v.get("/users").want(200, "All users")
		if status := s.request(t, http.MethodGet, "/api/v1/tokens", basic("admin", "admin"), nil).status; status != 401 {
			t.Errorf("after the first run, the API answers admin with %d", status)
		}
		other := s.visitor(t)
		other.post("/first-run", "password", "quiet orange ladder 8").want(200, "has been set already", "Sign in")
		other.get("/").want(200, "Sign in")
		if p := other.get("/first-run"); p.path() != "/login" {
			t.Errorf("after the first run, /first-run leads to %s", p.path())
		}
		other.signIn("admin", adminPassword)
	}, with("SPECTER_ADMIN_PASSWORD", ""))
}

// TestDefaultPassword shows a warning on every page until the default password is changed.
func TestDefaultPassword(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		const warning = "Your password is the default one; change it"
		v := s.visitor(t)
		v.get("/").follow("Sign in as another user").submit("/login", "user", "admin", "password", "admin").want(200, "Home", warning)
		for _, path := range []string{"/tokens", "/users", "/node", "/wallets/new"} {
			v.get(path).want(200, warning)
		}
		testkit.Must(s.Users.Create(t.Context(), auth.Operator("test"), "bob", "the password of bob 41", false))
		s.visitor(t).post("/login", "user", "bob", "password", "the password of bob 41").want(200, "Home").lacks(warning)
		settings := v.get("/").follow("Change the password in the settings").want(200, "New password", warning)
		settings.submit("/settings/password", "current", "admin", "password", adminPassword).want(200).lacks(warning)
		v.get("/").want(200, "Home").lacks(warning)
	}, with("SPECTER_ADMIN_PASSWORD", ""))
}

// TestFirstRun_Code shows that the setup code of the log is required behind a proxy.
func TestFirstRun_Code(t *testing.T) {
	t.Parallel()
	s := open(t, with("SPECTER_ADMIN_PASSWORD", ""), with("SPECTER_TRUSTED_PROXIES", "127.0.0.1"))
	found := regexp.MustCompile(`"setup_code":"([^"]*)"`).FindStringSubmatch(s.log.String())
	if found == nil {
		t.Fatal("the log has no setup code")
	}
	p := s.visitor(t).get("/").want(200, "Setup code").lacks("anyone on this machine")
	p.submit("/first-run", "password", adminPassword).want(400, "Is wrong").lacks(adminPassword)
	p.submit("/first-run", "password", adminPassword, "code", "AAAA").want(400, "Is wrong")
	p.submit("/first-run", "password", adminPassword, "code", found[1]).want(200, "Your password is set.")
}
