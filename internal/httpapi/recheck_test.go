package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// inTwoParts sends the header of a request and, once the server responds with 100 Continue,
// the body in two parts. It calls between after the first part, when the server has already
// checked the header. It also reports whether the server asked for the body.
func (s *server) inTwoParts(t *testing.T, r request, between func()) (a answer, asked bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	testkit.Check(t, err)
	defer func() { _ = conn.Close() }()
	testkit.Check(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 100-continue\r\n", r.method, r.path)
	for _, credential := range r.auth {
		fmt.Fprintf(&head, "Authorization: %s\r\n", credential)
		s.credentialIsSecret(credential)
	}
	chunked := r.header["Transfer-Encoding"] == "chunked"
	if !chunked {
		fmt.Fprintf(&head, "Content-Length: %d\r\n", len(r.body))
	}
	if r.header["Content-Type"] == "" {
		head.WriteString("Content-Type: application/json\r\n")
	}
	for name, value := range r.header {
		fmt.Fprintf(&head, "%s: %s\r\n", name, value)
	}
	_, err = io.WriteString(conn, head.String()+"\r\n")
	testkit.Check(t, err)
	answers := bufio.NewReader(conn)
	res, err := http.ReadResponse(answers, nil)
	testkit.Check(t, err)
	if asked = res.StatusCode == http.StatusContinue; asked {
		first, second := r.body[:len(r.body)/2], r.body[len(r.body)/2:]
		if chunked {
			first, second = fmt.Sprintf("%x\r\n%s\r\n", len(first), first), fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(second), second)
		}
		_, err = io.WriteString(conn, first)
		testkit.Check(t, err)
		between()
		_, err = io.WriteString(conn, second)
		testkit.Check(t, err)
		res, err = http.ReadResponse(answers, nil)
		testkit.Check(t, err)
	}
	defer func() { _ = res.Body.Close() }()
	return s.read(t, res), asked
}

// attack is a request whose credential is revoked while its body is being sent, and the
// expected response.
type attack struct {
	request
	end    func()
	status int
	code   string
	after  func() // further checks, after the comparison of the tables; may be nil
}

// attacks contains the attacks that a security review found. Each one creates its own users.
var attacks = map[string]func(t *testing.T, s *server) attack{
	"token with the old password after a reset": func(t *testing.T, s *server) attack {
		p := s.user(t, unique("alice"), false)
		return attack{
			request: request{method: "POST", path: tokens, auth: []string{p.basic()}, body: `{"description": "thief", "lifetime": "1 hour"}`},
			end:     func() { s.reset(t, p) }, status: 401, code: "unauthenticated",
		}
	},
	"v1alpha token with the old password after a reset": func(t *testing.T, s *server) attack {
		p := s.user(t, unique("alice"), false)
		return attack{
			request: request{
				method: "POST", path: "/api/v1alpha/token", auth: []string{p.basic()},
				body: `{"jwt_token_description": "thief", "jwt_token_life": "1 hour"}`,
			},
			end: func() { s.reset(t, p) }, status: 401,
		}
	},
	"new admin with the old password after a reset": func(t *testing.T, s *server) attack {
		p := s.user(t, unique("root"), true)
		return attack{
			request: request{
				method: "POST", path: users, auth: []string{p.basic()},
				body: fmt.Sprintf(`{"name": %q, "password": "correct horse of thief", "admin": true}`, unique("thief")),
			},
			end:    func() { s.reset(t, p) },
			status: 401, code: "unauthenticated",
		}
	},
	"child that outlives its rotated parent": func(t *testing.T, s *server) attack {
		k := s.token(t, s.user(t, unique("alice"), false), 0)
		return attack{
			request: request{method: "POST", path: tokens, auth: []string{k.bearer()}, body: `{"description": "child", "lifetime": "50 minutes"}`},
			end: func() {
				s.call(t, "POST", tokens+"/"+k.id+"/rotate", k.bearer(), `{"grace_period": "5m"}`).want(t, 201)
			},
			status: 403, code: "expiry_exceeded",
		}
	},
	"child of a parent that was rotated without a grace period": func(t *testing.T, s *server) attack {
		k := s.token(t, s.user(t, unique("alice"), false), 0)
		return attack{
			request: request{method: "POST", path: tokens, auth: []string{k.bearer()}, body: `{"description": "child", "lifetime": "1 minute"}`},
			end: func() {
				s.call(t, "POST", tokens+"/"+k.id+"/rotate", k.bearer(), `{"grace_period": "0s"}`).want(t, 201)
			},
			status: 401, code: "unauthenticated",
		}
	},
	"owner added by a disabled user": func(t *testing.T, s *server) attack {
		p, accomplice := s.user(t, unique("alice"), false), s.user(t, unique("thief"), false)
		k := s.token(t, p, 0)
		s.wallet(t, p, "vault", "owner")
		return attack{
			request: request{method: "PUT", path: "/api/v1/wallets/vault/members/" + accomplice.Name, auth: []string{k.bearer()}, body: `{"role": "owner"}`},
			end:     func() { s.call(t, "PATCH", userPath(p.Name), s.adminHeader(t), `{"disabled": true}`).want(t, 200) },
			status:  401, code: "unauthenticated",
		}
	},
	"password change with the old password after a reset": func(t *testing.T, s *server) attack {
		p := s.user(t, unique("alice"), false)
		var now testUser
		return attack{
			request: request{method: "PATCH", path: users + "/me", auth: []string{p.basic()}, body: `{"password": "correct horse of thief"}`},
			end:     func() { now = s.reset(t, p) },
			status:  401, code: "unauthenticated",
			after: func() {
				s.call(t, "GET", users+"/me", basic(p.Name, "correct horse of thief"), "").want(t, 401)
				s.call(t, "GET", users+"/me", p.basic(), "").want(t, 401)
				s.call(t, "GET", users+"/me", now.basic(), "").want(t, 200)
			},
		}
	},
}

// adminHeader returns the value of the Authorization header of a new admin.
func (s *server) adminHeader(t *testing.T) string {
	t.Helper()
	return s.user(t, unique("admin"), true).basic()
}

// reset resets a user's password as an admin and returns the user with the new password.
func (s *server) reset(t *testing.T, p testUser) testUser {
	t.Helper()
	p.password = "correct horse after the reset"
	s.call(t, "PATCH", userPath(p.Name), s.adminHeader(t), fmt.Sprintf(`{"password": %q}`, p.password)).want(t, 200)
	return p
}

// TestRecheck_Attacks checks that a credential that was valid when the header arrived is refused
// if it becomes invalid before the body is complete.
func TestRecheck_Attacks(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		for name, prepare := range attacks {
			for _, encoding := range []string{"", "chunked"} {
				t.Run(strings.TrimSpace(name+" "+encoding), func(t *testing.T) {
					a := prepare(t, s)
					if encoding != "" {
						a.header = map[string]string{"Transfer-Encoding": encoding}
					}
					var before string
					got, asked := s.inTwoParts(t, a.request, func() {
						a.end()
						before = s.dump(t, false)
					})
					switch {
					case !asked:
						t.Fatalf("answered without the body: %d %s", got.status, got.body)
					case a.code != "":
						got.wantProblem(t, a.status, a.code)
					default:
						got.wantRefused(t, a.path)
					}
					if s.dump(t, false) != before {
						t.Error("the refused request changed the database")
					}
					if a.after != nil {
						a.after()
					}
				})
			}
		}
	})
}

// TestRecheck_BadBody checks that a request with an invalid body and a revoked credential gets
// 401 and no error about the body.
func TestRecheck_BadBody(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		k := s.token(t, s.user(t, "alice", false), 0)
		got, _ := s.inTwoParts(t, request{method: "POST", path: tokens, auth: []string{k.bearer()}, body: `{"no such field": 1}`}, func() {
			s.sql(t, "DELETE FROM tokens WHERE token_id = $1", k.id)
		})
		got.wantProblem(t, 401, "unauthenticated")
	})
}

// TestRecheck_ShownScope checks that the response to a change has no body if the token loses
// the scope for it before the request body is complete.
func TestRecheck_ShownScope(t *testing.T) {
	t.Parallel()
	s := start(t)
	bob := s.user(t, "bob", false)
	for names, status := range map[string]int{"users:read users:write": 200, "users:write": 204} {
		k := s.token(t, s.user(t, unique("admin"), true), auth.UsersRead|auth.UsersWrite)
		got, _ := s.inTwoParts(t, request{method: "PATCH", path: userPath(bob.Name), auth: []string{k.bearer()}, body: `{"disabled": true}`}, func() {
			s.sql(t, "UPDATE tokens SET scopes = $1 WHERE token_id = $2", names, k.id)
		})
		if got.want(t, status); (got.body == "") != (status == 204) {
			t.Errorf("with %s: %d %s", names, got.status, got.body)
		}
	}
}

// TestRecheck_StillGood checks that a request succeeds if the concurrent change does not reduce
// the rights of the caller.
func TestRecheck_StillGood(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		for name, change := range map[string]func(t *testing.T, p testUser, k token){
			"nothing": func(*testing.T, testUser, token) {},
			"another token deleted": func(t *testing.T, p testUser, _ token) {
				s.sql(t, "DELETE FROM tokens WHERE token_id = $1", s.token(t, p, 0).id)
			},
			"another user's password reset": func(t *testing.T, _ testUser, _ token) { s.reset(t, s.user(t, unique("bob"), false)) },
			"the password hashed with another cost": func(t *testing.T, p testUser, _ token) {
				_, err := s.store.EditUser(t.Context(), auth.Program("test"), p.Name, func(u *auth.UserEdit) error {
					u.PasswordHash, u.KeepAccess = u.PasswordHash+" ", true
					return nil
				})
				testkit.Check(t, err)
			},
			"the token rotated with a grace period": func(t *testing.T, _ testUser, k token) {
				s.call(t, "POST", tokens+"/"+k.id+"/rotate", k.bearer(), `{"grace_period": "10m"}`).want(t, 201)
			},
		} {
			t.Run(name, func(t *testing.T) {
				p := s.user(t, unique("alice"), false)
				k := s.token(t, p, 0)
				for n, credential := range []string{p.basic(), k.bearer()} {
					body := fmt.Sprintf(`{"description": "made %d", "lifetime": "6 minutes"}`, n)
					got, _ := s.inTwoParts(t, request{method: "POST", path: tokens, auth: []string{credential}, body: body}, func() {
						if n == 1 || name != "the token rotated with a grace period" {
							change(t, p, k)
						}
					})
					got.want(t, 201)
				}
			})
		}
	})
}
