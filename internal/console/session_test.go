package console_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSignIn follows a user through sign-in and sign-out.
func TestSignIn(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		v := s.visitor(t)
		p := v.get("/?x=1").want(200, "Sign in")
		if p.path() != "/login" {
			t.Fatalf("without a session, / leads to %s", p.path())
		}
		p.submit("/login", "user", "admin", "password", "wrong").want(401, "The user name or the password is wrong").lacks("value=\"wrong\"")
		p = p.submit("/login", "user", "admin", "password", adminPassword).want(200, "Home")
		if p.at.RequestURI() != "/?x=1" {
			t.Errorf("after sign-in the user is at %s, not at the requested page", p.at.RequestURI())
		}
		stolen := v.withCookies(v.cookies())
		p.submit("/logout").want(200, "You are signed out.")
		if p := stolen.get("/"); p.path() != "/login" {
			t.Errorf("after sign-out, the copied cookie still reaches %s", p.path())
		}
		if p := v.get("//evil.example/"); !strings.HasPrefix(p.at.String(), s.url) {
			t.Errorf("//evil.example/ leads to %s", p.at)
		}
		for _, next := range []string{"//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"} {
			p := s.visitor(t).get("/login").submit("/login", "user", "admin", "password", adminPassword, "next", next)
			if p.path() != "/" || !strings.HasPrefix(p.at.String(), s.url) {
				t.Errorf("sign-in with next=%s leads to %s", next, p.at)
			}
		}
	})
}

// TestSessionEnds shows that a session ends at its limits, with the user, and by SQL.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	cases := map[string]func(t *testing.T, s *site, name string){
		"idle":           func(_ *testing.T, s *site, _ string) { s.late.Add(int64(31 * time.Minute)) },
		"deleted by SQL": func(t *testing.T, s *site, _ string) { s.sql(t, "DELETE FROM sessions") },
		"disabled by SQL": func(t *testing.T, s *site, name string) {
			s.sql(t, "UPDATE users SET disabled_at = 1 WHERE name = $1", name)
		},
		"user deleted by SQL": func(t *testing.T, s *site, name string) { s.sql(t, "DELETE FROM users WHERE name = $1", name) },
	}
	for name, end := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachEngine(t, func(t *testing.T, s *site) {
				v := s.user(t, "bob", false)
				v.get("/").want(200, "Home")
				end(t, s, "bob")
				if p := v.get("/"); p.path() != "/login" {
					t.Errorf("the session still reaches %s", p.path())
				}
				if p := v.post("/display", "unit", "btc"); p.status != 200 {
					t.Errorf("/display: %d", p.status)
				}
			})
		})
	}
}

// TestSessionEnds_WithOpenPage shows that a page that refreshes without its user does not keep the
// session open.
func TestSessionEnds_WithOpenPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	v := s.admin(t)
	for _, step := range []struct {
		minutes time.Duration
		refresh bool
		path    string
	}{{20, false, "/"}, {20, true, "/"}, {9, true, "/"}, {2, true, "/login"}} {
		s.late.Add(int64(step.minutes * time.Minute))
		r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/", nil))
		if step.refresh {
			r.Header.Set("Specterd-Refresh", "1")
		}
		if p := v.do(r); p.path() != step.path {
			t.Errorf("after %d minutes more, a request (of the script: %t) leads to %s", step.minutes, step.refresh, p.path())
		}
	}
}

// TestSession_Fixation shows that a cookie that an attacker has chosen, or had before, is not a
// session of the user who signs in, and that entering the password again replaces the cookie.
func TestSession_Fixation(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		bob := s.user(t, "bob", false)
		mallory := s.user(t, "mallory", false)
		for name, planted := range map[string]string{"chosen": base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "of the attacker": mallory.cookies()["specterd"]} {
			t.Run(name, func(t *testing.T) {
				attacker := s.visitor(t).withCookies(map[string]string{"specterd": planted})
				victim := attacker.withCookies(attacker.cookies())
				victim.t = t
				p := victim.post("/login", "user", "bob", "password", bob.password).want(200, "Home")
				if got := victim.cookies()["specterd"]; got == planted || got == "" || !strings.Contains(p.body, "<bdi>bob</bdi>") {
					t.Errorf("after sign-in the cookie is %q", got)
				}
				if p := attacker.get("/"); strings.Contains(p.body, "<bdi>bob</bdi>") {
					t.Error("the attacker is signed in as bob")
				}
			})
		}
		before := bob.withCookies(bob.cookies())
		s.sql(t, "UPDATE sessions SET proved_at = 0")
		bob.post("/tokens", "description", "a", "preset", "proposer").submit("/tokens", "_password", bob.password).want(200, "Token a created")
		if bob.cookies()["specterd"] == before.cookies()["specterd"] {
			t.Error("entering the password has not replaced the cookie")
		}
		if p := before.get("/"); p.path() != "/login" {
			t.Errorf("the cookie from before the password was entered reaches %s", p.path())
		}
		if before.cookies()["specterd"] == "" {
			t.Error("a late request with the old cookie deletes the cookie of the new session")
		}
		bob.get("/").want(200, "Home")
	})
}

// TestSession_TwoCookies shows that two cookies of the name are refused: a page of another site on this
// computer, at another port, may have set the second.
func TestSession_TwoCookies(t *testing.T) {
	t.Parallel()
	s := open(t)
	secret, other := s.admin(t).cookies()["specterd"], s.user(t, "mallory", false).cookies()["specterd"]
	for cookies, path := range map[string]string{
		"specterd=" + secret: "/settings", "specterd=" + secret + "; specterd=" + other: "/login", "specterd=" + other + "; specterd=" + secret: "/login",
		"specterd=" + secret + "; other=" + other: "/settings",
	} {
		v := s.visitor(t)
		v.client.Jar = nil
		r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/settings", nil))
		r.Header.Set("Cookie", cookies)
		if p := v.do(r); p.path() != path {
			t.Errorf("%s leads to %s, not %s", cookies, p.path(), path)
		}
	}
}

// TestSession_Clock shows that a session is neither ended nor extended when the clock is set back,
// and ends when it is set forward.
func TestSession_Clock(t *testing.T) {
	t.Parallel()
	const step = 25 * time.Minute
	for name, back := range map[string]time.Duration{"in step": 0, "set back": 6 * time.Hour, "set back by a year": 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			v := s.admin(t)
			for age := step; age < auth.SessionLifetime; age += step {
				s.late.Add(int64(step))
				if p := v.get("/settings"); p.path() != "/settings" {
					t.Fatalf("after %v the session leads to %s", age, p.path())
				}
				if age == 4*step {
					s.late.Add(-int64(back))
					v.get("/").want(200, "Home")
				}
			}
			s.late.Add(int64(step)) // longer than the session's life, but not idle
			if p := v.get("/settings"); p.path() != "/login" {
				t.Errorf("after 12 hours the session reaches %s", p.path())
			}
		})
	}
	t.Run("set forward", func(t *testing.T) {
		t.Parallel()
		s := open(t)
		v := s.admin(t)
		s.late.Add(int64(24 * time.Hour))
		if p := v.get("/settings"); p.path() != "/login" {
			t.Errorf("a day later the session reaches %s", p.path())
		}
	})
}

// TestSession_Restart shows that a session continues after a restart of the server, and that one
// that has ended does not.
func TestSession_Restart(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		v, other := s.admin(t), s.admin(t)
		ended := other.withCookies(other.cookies())
		other.post("/logout")
		s.stop()
		s.start(t)
		v.get("/settings").want(200, "This session")
		if p := ended.get("/settings"); p.path() != "/login" {
			t.Errorf("after the restart, the session that was ended reaches %s", p.path())
		}
	})
}

// TestSessions_Concurrent shows that sessions of a user are independent while they are used at the
// same time: some end, and the others continue.
func TestSessions_Concurrent(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *site) {
		bob := s.user(t, "bob", false)
		var all []*visitor
		for range 8 {
			v := s.visitor(t)
			v.signIn("bob", bob.password)
			all = append(all, v)
		}
		reached := make([]string, len(all))
		var running sync.WaitGroup
		for i, v := range all {
			thief := v.withCookies(v.cookies())
			running.Go(func() {
				if i%2 == 0 {
					v.post("/logout")
				}
				reached[i] = thief.get("/settings").path()
			})
		}
		running.Wait()
		for i, path := range reached {
			if want := []string{"/login", "/settings"}[i%2]; path != want {
				t.Errorf("session %d reaches %s, not %s", i, path, want)
			}
		}
		if n := s.count(t, "sessions"); n != 1+len(all)/2 {
			t.Errorf("%d sessions", n)
		}
	})
}

// TestHeaders checks the security headers of pages and that no response of the console may be
// stored, except the files of pages.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := open(t)
	admin := s.admin(t)
	for _, path := range []string{"/", "/login", "/nope"} {
		p := admin.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy": "same-origin", "Permissions-Policy": "camera=(self)", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		} {
			if got := p.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		p.lacks("<style", " style=", " onclick=", "javascript:")
	}
}

// TestRoot shows which clients get pages and which the documents of the API.
func TestRoot(t *testing.T) {
	t.Parallel()
	const browser, script = "text/html,application/xhtml+xml,*/*;q=0.8", "*/*"
	cases := map[string]struct {
		settings     []func(*setup)
		accept, path string
		status       int
		contentType  string
		says         string
	}{
		"browser":                  {nil, browser, "/", 200, "text/html", "Sign in"},
		"script":                   {nil, script, "/", 404, "application/problem+json", "/api/openapi.json"},
		"console off":              {[]func(*setup){with("SPECTER_CONSOLE", "off")}, browser, "/", 404, "application/problem+json", "SPECTER_CONSOLE=on"},
		"API off":                  {[]func(*setup){with("SPECTER_API_ACTIVE", "false")}, browser, "/", 200, "text/html", "Sign in"},
		"API reference":            {nil, browser, "/api/", 200, "text/html", "API"},
		"API off, API":             {[]func(*setup){with("SPECTER_API_ACTIVE", "false")}, browser, "/api/v1/wallets", 404, "application/problem+json", "SPECTER_API_ACTIVE"},
		"trailing slash":           {nil, browser, "/login/", 200, "text/html", "Sign in"},
		"a page that is not there": {nil, browser, "/nope", 404, "text/html", "There is no such page"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, c.settings...)
			got := s.request(t, http.MethodGet, c.path, "", nil, c.accept)
			if got.status != c.status || !strings.HasPrefix(got.header.Get("Content-Type"), c.contentType) || !strings.Contains(got.body, c.says) {
				t.Errorf("%d %s: %s", got.status, got.header.Get("Content-Type"), got.body)
			}
		})
	}
}

// TestSecureCookie shows that behind a trusted proxy with TLS the cookie can be neither sent without
// TLS nor set by a subdomain, and that other clients cannot pretend to use TLS.
func TestSecureCookie(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings []func(*setup)
		cookie   string
	}{
		"trusted proxy": {[]func(*setup){with("SPECTER_TRUSTED_PROXIES", "127.0.0.1")}, "__Host-specterd"},
		"no proxy":      {nil, "specterd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, c.settings...)
			form := strings.NewReader("user=admin&password=" + strings.ReplaceAll(adminPassword, " ", "+"))
			r := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/login", form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Accept", "text/html")
			r.Header.Set("X-Forwarded-Proto", "https")
			answer, err := http.DefaultTransport.RoundTrip(r)
			testkit.Check(t, err)
			testkit.Check(t, answer.Body.Close())
			cookies := answer.Cookies()
			if len(cookies) != 1 || cookies[0].Name != c.cookie || cookies[0].Secure != (c.cookie == "__Host-specterd") || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" || cookies[0].Domain != "" {
				t.Errorf("%d, cookies %v", answer.StatusCode, cookies)
			}
		})
	}
}

// TestCrossOrigin shows that pages of other sites cannot send forms.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := open(t)
	for name, header := range map[string][2]string{"Sec-Fetch-Site": {"Sec-Fetch-Site", "cross-site"}, "Origin": {"Origin", "https://evil.example"}} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/logout", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept", "text/html")
			r.Header.Set(header[0], header[1])
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			if answer.StatusCode != http.StatusForbidden {
				t.Errorf("status %d", answer.StatusCode)
			}
		})
	}
}
