package console_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// TestSettings_Password shows that a new password requires the old one, ends the other sessions
// at once, and keeps the tokens unless the user revokes them.
func TestSettings_Password(t *testing.T) {
	t.Parallel()
	const newPassword = "quiet orange ladder 8"
	for name, revoke := range map[string]bool{"tokens stay": false, "tokens revoked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *site) {
				bob := s.user(t, "bob", false)
				token := bob.get("/tokens/new").submit("/tokens", "description", "reader").want(200).preText("token")
				other := s.visitor(t)
				other.signIn("bob", bob.password)
				thief := bob.withCookies(bob.cookies())
				page := bob.get("/settings")
				page.submit("/settings/password", "current", "wrong", "password", newPassword).want(400, "Is wrong").lacks(newPassword)
				page.submit("/settings/password", "current", bob.password, "password", "password1").want(400, "too easy to guess").lacks(bob.password)
				other.get("/settings").want(200, "This session")
				fields := []string{"current", bob.password, "password", newPassword}
				if revoke {
					fields = append(fields, "revoke", "yes")
				}
				bob.get("/settings").submit("/settings/password", fields...).want(200, "Your password is changed.", "This session").lacks("End all others")
				bob.get("/").want(200, "Home")
				for who, v := range map[string]*visitor{"another session": other, "the old cookie": thief} {
					if p := v.get("/settings"); p.path() != "/login" {
						t.Errorf("%s still reaches %s", who, p.path())
					}
				}
				want := http.StatusOK
				if revoke {
					want = http.StatusUnauthorized
				}
				if status := s.status(t, "/api/v1/wallets", token); status != want {
					t.Errorf("the API answers the token with %d, not %d", status, want)
				}
				s.visitor(t).get("/login").submit("/login", "user", "bob", "password", bob.password).want(401)
				s.visitor(t).signIn("bob", newPassword)
			})
		})
	}
}

// TestSettings_Sessions shows that users see and end their own sessions only.
func TestSettings_Sessions(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		bob, admin := s.user(t, "bob", false), s.admin(t)
		second, third := s.visitor(t), s.visitor(t)
		second.signIn("bob", bob.password)
		third.signIn("bob", bob.password)
		ids := func(p *document) (out []string) {
			for _, n := range p.all("input", func(n *html.Node) bool { return attr(n, "name") == "id" && attr(n, "value") != "others" }) {
				out = append(out, attr(n, "value"))
			}
			return out
		}
		others := ids(bob.get("/settings").want(200, "This session", "127.0.0.1"))
		if len(others) != 2 {
			t.Fatalf("bob sees the sessions %v", others)
		}
		admin.post("/settings/sessions", "id", others[0]).want(404)
		bob.get("/settings").submit("/settings/sessions", "id", others[0]).want(200, "The session has ended.")
		if reached := len(reaching(second, third)); reached != 1 {
			t.Errorf("%d of two sessions reach a page after one has ended", reached)
		}
		bob.post("/settings/sessions", "id", others[0]).want(404)
		bob.get("/settings").submit("/settings/sessions", "id", "others").want(200, "Your other sessions have ended.").lacks("End all others")
		if reached := len(reaching(second, third)); reached != 0 {
			t.Errorf("%d sessions reach a page after all others have ended", reached)
		}
		admin.get("/settings").want(200, "This session")
	})
}

// reaching returns the visitors who have a session.
func reaching(all ...*visitor) (out []*visitor) {
	for _, v := range all {
		if v.get("/settings").path() == "/settings" {
			out = append(out, v)
		}
	}
	return out
}

// TestSettings_Display shows that the unit, the theme and the language are saved in the browser.
func TestSettings_Display(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	admin.get("/settings").submit("/display", "unit", "btc", "theme", "dark").want(200, "The display is saved in this browser.")
	p := admin.get("/settings")
	if got := attr(p.all("html", nil)[0], "data-theme"); got != "dark" {
		t.Errorf("the theme is %q", got)
	}
	if got := fields(p.forms("/display")[0]); got.Get("unit") != "btc" || got.Get("theme") != "dark" || got.Get("lang") != "en" {
		t.Errorf("the form shows %v", got)
	}
	s.admin(t).get("/settings").lacks(`data-theme="dark"`)
}

// TestSettings_Throttle shows that the password cannot be guessed with the form that changes it.
func TestSettings_Throttle(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	for range 100 {
		p := admin.post("/settings/password", "current", "a guess", "password", "quiet orange ladder 8")
		if p.status == http.StatusTooManyRequests {
			p.want(429, "Current password")
			s.late.Add(int64(time.Hour))
			return
		}
		p.want(400, "Is wrong")
	}
	t.Error("100 wrong passwords were compared")
}
