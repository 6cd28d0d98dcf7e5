package httpapi_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

const users = "/api/v1/users"

func userPath(name string) string { return users + "/" + url.PathEscape(name) }

func TestUserLife(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		root, administrator := s.token(t, admin, 0).bearer(), admin.basic()
		const password = "correct horse, first"
		s.call(t, "POST", users, administrator, `{"name": "Bob Smith", "password": "`+password+`"}`).
			want(t, 201, `{"name":"Bob Smith","admin":false,"disabled":false,"default_password":false,"created_at":"2026-12-01T10:00:00.25Z"}`)
		s.call(t, "POST", users, administrator, `{"name": "bob smith", "password": "correct horse, other"}`).wantProblem(t, 409, "user_exists")
		s.call(t, "GET", userPath("BOB SMITH"), root, "").want(t, 200, `"name":"Bob Smith"`)
		bob := s.call(t, "POST", tokens, basic("bob smith", password), `{"description": "x", "lifetime": "1 hour", "scopes": ["tokens:read"]}`).want(t, 201)
		k := token{bob.text("id"), bob.text("token")}
		s.call(t, "GET", users+"/me", k.bearer(), "").want(t, 200, `"name":"Bob Smith"`)

		s.call(t, "PATCH", userPath("bob smith"), administrator, `{"admin": true}`).want(t, 200, `"admin":true`)
		s.works(t, k, true)
		s.call(t, "GET", users, k.bearer(), "").wantProblem(t, 403, "insufficient_scope") // the scopes of the token do not change
		s.call(t, "PATCH", userPath("bob smith"), root, `{"admin": false}`).want(t, 200, `"admin":false`)
		s.call(t, "PATCH", userPath("bob smith"), root, `{"disabled": false}`).want(t, 200) // no change
		s.works(t, k, true)

		s.call(t, "PATCH", userPath("bob smith"), root, `{"disabled": true}`).want(t, 200, `"disabled":true`)
		s.works(t, k, false)
		s.call(t, "GET", users+"/me", basic("bob smith", password), "").wantProblem(t, 401, "unauthenticated")
		s.call(t, "PATCH", userPath("bob smith"), root, `{"disabled": false}`).want(t, 200, `"disabled":false`)
		s.works(t, k, false)
		s.call(t, "GET", users+"/me", basic("bob smith", password), "").want(t, 200)

		s.call(t, "DELETE", userPath("bob smith"), root, "").want(t, 204)
		s.call(t, "GET", users+"/me", basic("bob smith", password), "").wantProblem(t, 401, "unauthenticated")
		for _, method := range []string{"GET", "DELETE"} {
			s.call(t, method, userPath("bob smith"), root, "").wantProblem(t, 404, "user_not_found")
		}
		s.call(t, "PATCH", userPath("bob smith"), administrator, `{"admin": true}`).wantProblem(t, 404, "user_not_found")
		s.call(t, "PATCH", userPath("admin"), root, `{}`).wantProblem(t, 400, "no_changes")
	})
}

func TestUserNames(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		root := s.user(t, "admin", true).basic()
		add := func(name string) answer {
			return s.call(t, "POST", users, root, fmt.Sprintf(`{"name": %s, "password": "correct horse of the user"}`, testkit.Must(jsonText(name))))
		}
		for _, name := range []string{
			"bob smith", "Ünïcödé 名前 ☕", "a/b", "50%", "%2f", "..", "x+y", "it's", `quo"te`, "O'Brien; DROP TABLE users", "me-too",
			strings.Repeat("é", 64), "STRASSE", "admin2",
		} {
			t.Run(name, func(t *testing.T) {
				add(name).want(t, 201)
				if got := s.call(t, "GET", userPath(name), root, "").want(t, 200).text("name"); got != name {
					t.Errorf("%q is called %q", name, got)
				}
				k := s.call(t, "POST", tokens, basic(name, "correct horse of the user"), `{"description": "x", "lifetime": "1 hour"}`).want(t, 201)
				s.call(t, "GET", users+"/me", bearer(k.text("token")), "").want(t, 200)
			})
		}
		for _, name := range []string{"Bob Smith", "BOB SMITH", "ÜNÏCÖDÉ 名前 ☕", "Strasse", "straße", "u\u0308nïcödé 名前 ☕", "ADMIN"} {
			add(name).wantProblem(t, 409, "user_exists")
		}
		for name, says := range map[string]string{
			"": "1 to 64", strings.Repeat("é", 65): "1 to 64", "a:b": "colon", ":": "colon", " bob": "begin or end with a space", "bob ": "begin or end with a space",
			"\u00a0bob": "space", " ": "space", "a\nb": "control characters", "a\u200bb": "invisible characters", "a\u202eb": "marks of text direction", "a\u0000b": "control characters", "a\u00a0b": "unprintable",
		} {
			add(name).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"name"`, says)
		}
	})
}

func TestUserPages(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		root := s.token(t, s.user(t, "admin", true), 0).bearer()
		want := []string{"Anna", "admin", "bob smith", "Émile", "zoë"}
		for _, name := range []string{"zoë", "bob smith", "Anna", "Émile"} {
			s.user(t, name, false)
		}
		var got []string
		for path := users + "?limit=2"; ; {
			page := s.call(t, "GET", path, root, "").want(t, 200)
			got = append(got, page.list("name")...)
			if page.text("next_cursor") == "" {
				break
			}
			path = users + "?limit=2&cursor=" + page.text("next_cursor")
		}
		if fmt.Sprint(sorted(got)) != fmt.Sprint(sorted(want)) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// TestLastAdmin checks that the last active admin cannot be deleted, disabled or demoted.
func TestLastAdmin(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		s.user(t, "ordinary", false)
		disabled := s.user(t, "disabled", true)
		s.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", disabled.ID)
		root := admin.basic()
		s.call(t, "DELETE", userPath("admin"), root, "").wantProblem(t, 409, "last_admin")
		for _, body := range []string{`{"admin": false}`, `{"disabled": true}`, `{"password": "correct horse, another", "admin": false}`} {
			s.call(t, "PATCH", userPath("admin"), root, body).wantProblem(t, 409, "last_admin")
		}
		s.call(t, "GET", users+"/me", admin.basic(), "").want(t, 200, `"admin":true,"disabled":false`)
		s.call(t, "PATCH", userPath("disabled"), root, `{"disabled": false}`).want(t, 200)
		s.call(t, "PATCH", userPath("admin"), root, `{"admin": false}`).want(t, 200)
		s.call(t, "GET", users, root, "").wantProblem(t, 403, "insufficient_role")
	})
}

// TestLastOwner checks that the last owner of a wallet cannot be deleted unless the wallet is
// deleted as well.
func TestLastOwner(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		root := s.user(t, "admin", true).basic()
		owner, viewer := s.user(t, "owner", false), s.user(t, "viewer", false)
		sole, shared := s.wallet(t, owner, "sole", "owner"), s.wallet(t, owner, "shared", "owner")
		join := "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, $3, $4, 0)"
		s.sql(t, join, sole, viewer.ID, "viewer", "theirs")
		s.sql(t, join, shared, viewer.ID, "owner", "ours")

		s.call(t, "DELETE", userPath("owner"), root, "").wantProblem(t, 409, "last_owner")
		s.call(t, "DELETE", userPath("owner")+"?wallets=keep", root, "").wantProblem(t, 400, "invalid_input")
		s.call(t, "GET", userPath("owner"), root, "").want(t, 200)
		s.call(t, "DELETE", userPath("owner")+"?wallets=delete", root, "").want(t, 204)
		s.call(t, "GET", userPath("owner"), root, "").wantProblem(t, 404, "user_not_found")
		theirs := s.token(t, viewer, 0).bearer()
		s.call(t, "GET", "/api/v1/wallets/theirs", theirs, "").wantProblem(t, 404, "wallet_not_found")
		s.call(t, "GET", "/api/v1/wallets/ours", theirs, "").want(t, 200)
	})
}

// TestLastAdmin_Concurrent checks that one admin remains if the last two admins concurrently
// demote, disable or delete each other.
func TestLastAdmin_Concurrent(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		for round := range 6 {
			a, b := s.user(t, unique("a"), true), s.user(t, unique("b"), true)
			s.act(t, round, s.token(t, a, 0), b, s.token(t, b, 0), a)
			var active int
			testkit.Check(t, s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM users WHERE is_admin AND disabled_at IS NULL").Scan(&active))
			if active != 1 {
				t.Fatalf("round %d: %d active admins, want 1", round, active)
			}
			s.sql(t, "DELETE FROM users")
		}
	})
}

// act makes two admins concurrently demote, disable or delete each other, and checks that
// exactly one of them succeeds.
func (s *server) act(t *testing.T, round int, one token, onOne testUser, two token, onTwo testUser) {
	t.Helper()
	method, body := "PATCH", []string{`{"admin": false}`, `{"disabled": true}`, ``}[round%3]
	if body == "" {
		method = "DELETE"
	}
	var both sync.WaitGroup
	begin := make(chan struct{})
	var statuses [2]int
	for i, c := range []struct {
		k token
		p testUser
	}{{one, onOne}, {two, onTwo}} {
		both.Go(func() {
			<-begin
			statuses[i] = s.call(t, method, userPath(c.p.Name), c.k.bearer(), body).status
		})
	}
	close(begin)
	both.Wait()
	if done := (statuses[0] < 300) != (statuses[1] < 300); !done || statuses[0] >= 500 || statuses[1] >= 500 {
		t.Errorf("round %d: %v", round, statuses)
	}
}

func TestPasswordChange(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.user(t, "admin", true)
	for _, revoke := range []bool{false, true} {
		t.Run(fmt.Sprintf("revoke tokens %t", revoke), func(t *testing.T) {
			p := s.user(t, unique("p"), false)
			k := s.token(t, p, 0)
			body := `{"password": "correct horse, second"}`
			if revoke {
				body = `{"password": "correct horse, second", "revoke_tokens": true}`
			}
			s.call(t, "PATCH", users+"/me", p.basic(), body).want(t, 200, p.Name)
			s.works(t, k, !revoke)
			s.call(t, "GET", users+"/me", p.basic(), "").wantProblem(t, 401, "unauthenticated")
			s.call(t, "GET", users+"/me", basic(p.Name, "correct horse, second"), "").want(t, 200)
		})
	}
}

func TestPasswordReset_RevokesTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.user(t, "admin", true).basic()
	p := s.user(t, "p", false)
	k := s.token(t, p, 0)
	s.call(t, "PATCH", userPath("p"), root, `{"password": "correct horse, reset"}`).want(t, 200)
	s.works(t, k, false)
	s.call(t, "GET", users+"/me", p.basic(), "").wantProblem(t, 401, "unauthenticated")
	s.call(t, "GET", users+"/me", basic("p", "correct horse, reset"), "").want(t, 200)
}

func TestPasswords(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.user(t, "admin", true).basic()
	long := "seven long horses and a bridge over the river, painted in October of 1897"[:72]
	s.call(t, "POST", users, root, fmt.Sprintf(`{"name": "long", "password": %q}`, long)).want(t, 201)
	s.call(t, "GET", users+"/me", basic("long", long), "").want(t, 200)
	for _, wrong := range []string{long + "x", long + "\x00", long[:71], long + ":", strings.Repeat("x", 5000)} {
		s.call(t, "GET", users+"/me", basic("long", wrong), "").wantProblem(t, 401, "unauthenticated")
	}
	for password, says := range map[string]string{
		``: "at least 8", `short77`: "at least 8", strings.Repeat("x", 73): "at most 72 bytes", strings.Repeat("é", 37): "at most 72 bytes",
		`PassWord1`: "too easy to guess", `with\u0000NUL inside`: "NUL",
	} {
		t.Run(password, func(t *testing.T) {
			for _, set := range []request{
				{method: "POST", path: users, body: `{"name": "new", "password": "` + password + `"}`},
				{method: "PATCH", path: userPath("long"), body: `{"password": "` + password + `"}`},
			} {
				set.auth = []string{root}
				got := s.do(t, set).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"password"`, says)
				if len(password) > 7 && strings.Contains(got.body, password) {
					t.Errorf("the response contains the password: %s", got.body)
				}
			}
		})
	}
	// bcrypt appends a NUL and repeats the result, so a password and its repetition after a NUL
	// have the same hash. It ignores everything after the 72nd byte.
	nul := s.user(t, "nul", false)
	for _, wrong := range []string{nul.password + "\x00", nul.password + "\x00" + nul.password} {
		s.call(t, "GET", users+"/me", basic("nul", wrong), "").wantProblem(t, 401, "unauthenticated")
	}
}

// TestGuessablePasswords checks that no user can get a password that is little more than the
// user's name or the name or alias of one of the user's wallets, however it is set.
func TestGuessablePasswords(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.user(t, "admin", true).basic()
	p := s.user(t, "Theodora Whitfield", false)
	s.sql(t, "UPDATE wallets SET name = 'Larkspur Meadow' WHERE wallet_id = $1", s.wallet(t, p, "quartzbarn", "viewer"))
	for _, password := range []string{"theodorawhitfield1", "larkspurmeadow1", "quartzbarn2026"} {
		for _, set := range []request{
			{method: "POST", path: users, auth: []string{root}, body: fmt.Sprintf(`{"name": "theodora_whitfield", "password": %q}`, password)},
			{method: "PATCH", path: userPath(p.Name), auth: []string{root}, body: fmt.Sprintf(`{"password": %q}`, password)},
			{method: "PATCH", path: users + "/me", auth: []string{p.basic()}, body: fmt.Sprintf(`{"password": %q}`, password)},
		} {
			if set.method == "POST" && password != "theodorawhitfield1" {
				continue // a new user has no wallets
			}
			s.do(t, set).wantProblem(t, 400, "invalid_input").want(t, 400, `"field":"password"`, "names known here")
		}
	}
}

// TestFirstPassword checks that default_password is true until the first admin changes the
// password, and that the default password cannot be set again.
func TestFirstPassword(t *testing.T) {
	t.Parallel()
	s := start(t)
	testkit.Must(s.Users.CreateFirst(t.Context(), ""))
	first := basic("admin", auth.DefaultPassword)
	s.call(t, "GET", users+"/me", first, "").want(t, 200, `"default_password":true`)
	s.call(t, "PATCH", users+"/me", first, `{"password": "admin"}`).wantProblem(t, 400, "invalid_input")
	s.call(t, "PATCH", users+"/me", first, `{"password": "correct horse, mine"}`).want(t, 200, `"default_password":false`)
	s.call(t, "GET", users+"/me", first, "").wantProblem(t, 401, "unauthenticated")
}
