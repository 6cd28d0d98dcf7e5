package console_test

import (
	"net/http"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testdb"
)

// openTwo starts two servers on one PostgreSQL database.
func openTwo(t *testing.T, settings ...func(*setup)) (a, b *site) {
	t.Helper()
	url := testdb.Postgres(t)
	settings = append(settings, func(s *setup) { s.database = url })
	return open(t, settings...), open(t, settings...)
}

// TestTwoProcesses_Session shows that a session of one process is valid in another one, and that
// all processes refuse it as soon as it has ended in one of them.
func TestTwoProcesses_Session(t *testing.T) {
	t.Parallel()
	const newPassword = "quiet orange ladder 8"
	a, b := openTwo(t)
	admin := a.admin(t)
	for name, end := range map[string]func(t *testing.T, v *visitor){
		"sign-out": func(_ *testing.T, v *visitor) { v.get("/").submit("/logout").want(200, "You are signed out.") },
		"password changed in another session": func(t *testing.T, v *visitor) {
			other := a.visitor(t)
			other.signIn(v.name, v.password)
			other.get("/settings").submit("/settings/password", "current", v.password, "password", newPassword).want(200, "Your password is changed.")
		},
		"ended in another session": func(t *testing.T, v *visitor) {
			other := a.visitor(t)
			other.signIn(v.name, v.password)
			other.get("/settings").submit("/settings/sessions", "id", "others").want(200, "Your other sessions have ended.")
		},
		"password reset by an admin": func(_ *testing.T, v *visitor) {
			admin.post("/users/"+v.name+"/password", "password", newPassword).want(200, "The password is reset.")
		},
		"disabled by an admin": func(_ *testing.T, v *visitor) {
			admin.post("/users/"+v.name+"/status", "status", "disabled").want(200, "The user is disabled.")
		},
		"deleted by an admin": func(_ *testing.T, v *visitor) {
			admin.post("/users/"+v.name+"/delete", "name", v.name).want(200, "The user is deleted.")
		},
		"deleted by SQL": func(t *testing.T, v *visitor) {
			a.sql(t, "DELETE FROM sessions WHERE user_id = (SELECT user_id FROM users WHERE name = $1)", v.name)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := a.user(t, unique("user"), false)
			stolen := v.withCookies(v.cookies()).at(b)
			token := v.at(b).get("/tokens/new").submit("/tokens", "description", "made in b").want(200).preText("token")
			v.get("/tokens").want(200, "made in b")
			if status := a.status(t, "/api/v1/wallets", token); status != http.StatusOK {
				t.Errorf("the other process answers the token with %d", status)
			}
			open := stolen.live()
			tokens := a.count(t, "tokens")
			end(t, v)
			if p := stolen.get("/settings"); p.path() != "/login" {
				t.Errorf("the session still reaches %s", p.path())
			}
			stolen.post("/tokens", "description", "too late", "lifetime", "1 day")
			if n := a.count(t, "tokens"); n > tokens {
				t.Error("the session still creates tokens")
			}
			open.await("event: end")
		})
	}
}

// TestTwoProcesses_Proof shows that the password that was entered in one process counts in another
// one, which refuses the cookie from before.
func TestTwoProcesses_Proof(t *testing.T) {
	t.Parallel()
	a, b := openTwo(t)
	admin := a.admin(t)
	before := admin.withCookies(admin.cookies()).at(b)
	a.sql(t, "UPDATE sessions SET proved_at = 0")
	const path = "/users/admin/quotas"
	before.post(path, "tokens", "7").want(403, "Enter your password again")
	admin.post(path, "tokens", "7").want(403, "Enter your password again").submit(path, "_password", adminPassword).want(200, "The limits are saved.")
	admin.at(b).post(path, "tokens", "8").want(200, "The limits are saved.")
	if p := before.post(path, "tokens", "9"); p.path() != "/login" {
		t.Errorf("the cookie from before the password was entered still reaches %s", p.path())
	}
}

// TestTwoProcesses_Token shows that a token that was revoked on a page of one process is refused by
// another one at once.
func TestTwoProcesses_Token(t *testing.T) {
	t.Parallel()
	a, b := openTwo(t)
	v := a.user(t, "bob", false)
	token := v.get("/tokens/new").submit("/tokens", "description", "reader").want(200).preText("token")
	if status := b.status(t, "/api/v1/wallets", token); status != http.StatusOK {
		t.Fatalf("the other process answers the token with %d", status)
	}
	page := v.get("/tokens").follow("reader")
	page.submit(page.path()+"/revoke").want(200, "The token is revoked.")
	if status := b.status(t, "/api/v1/wallets", token); status != http.StatusUnauthorized {
		t.Errorf("the other process answers the revoked token with %d", status)
	}
	v.at(b).get("/tokens").want(200, "You have no tokens")
}

// TestTwoProcesses_Restart shows that a session continues while one process after the other is
// restarted, and that the one that ran alone meanwhile ends it for the restarted one.
func TestTwoProcesses_Restart(t *testing.T) {
	t.Parallel()
	a, b := openTwo(t)
	v := a.user(t, "bob", false)
	for range 2 {
		a.stop()
		v.at(b).get("/settings").want(200, "This session")
		a.start(t)
		v.get("/settings").want(200, "This session")
		a, b = b, a
		v = v.at(a)
	}
	if n := a.count(t, "sessions"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	a.stop()
	v.at(b).get("/").submit("/logout").want(200, "You are signed out.")
	a.start(t)
	if p := v.withCookies(v.cookies()).get("/settings"); p.path() != "/login" {
		t.Errorf("a session that ended during the restart reaches %s", p.path())
	}
}

// TestBrowser_TwoProcesses shows that changes by one process appear on a page of another one
// without a reload, and that the page ends at the sign-in when the session ends in the other one.
func TestBrowser_TwoProcesses(t *testing.T) {
	t.Parallel()
	a, b := openTwo(t, onNode(minedNode(t)))
	alice := a.user(t, "alice", false)
	w := alice.vault("treasury")
	page := b.chromium(t)
	page.open("/")
	page.signIn("alice", alice.password)
	page.see("Treasury")
	page.mark()
	alice.api("PATCH", "/api/v1/wallets/"+w.alias, map[string]any{"name": "Reserves"})
	page.see("Reserves")
	if !page.untouched() {
		t.Error("the page was loaded again")
	}
	alice.get("/settings").submit("/settings/sessions", "id", "others").want(200, "Your other sessions have ended.")
	page.see("Sign in")
}
