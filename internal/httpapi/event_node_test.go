package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// nodeState records a state of the node.
func (s *server) nodeState(t *testing.T, state string) {
	t.Helper()
	testkit.Check(t, s.store.EditNode(t.Context(), func(e *event.NodeEdit) {
		e.SetState(event.NodeState{State: state, Since: s.clock.now()}, "node_unavailable", "the node is away")
	}))
}

func (s *server) makeAdmin(t *testing.T, p testUser, admin bool) {
	t.Helper()
	_, err := s.store.EditUser(t.Context(), auth.Operator("test"), p.Name, func(e *auth.UserEdit) error { e.Admin = admin; return nil })
	testkit.Check(t, err)
}

// TestNodeEvents_Visibility: only users who are admins now, with a token that may read the
// node, see events of the node.
func TestNodeEvents_Visibility(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		root, boss, plain := s.user(t, "root", true), s.user(t, "boss", true), s.user(t, "plain", false)
		s.nodeState(t, event.NodeIsDown)
		kinds := func(p testUser, scopes auth.Scopes, query string) string {
			t.Helper()
			return fmt.Sprint(s.call(t, "GET", "/api/v1/events"+query, s.token(t, p, scopes).bearer(), "").want(t, 200).list("type"))
		}
		want := func(p testUser, scopes auth.Scopes, query, want string) {
			t.Helper()
			if got := kinds(p, scopes, query); got != want {
				t.Errorf("%s with %s and %q sees %s, not %s", p.Name, scopes, query, got, want)
			}
		}
		const node = auth.EventsRead | auth.NodeRead
		want(root, node, "", "[node.down]")
		want(root, node, "?kinds=node", "[node.down]")
		want(root, readEvents, "", "[]")
		want(plain, node, "", "[]")
		for _, query := range []string{"?kinds=node", "?kinds=wallet,node.reorg"} {
			s.call(t, "GET", "/api/v1/events"+query, s.token(t, plain, 0).bearer(), "").want(t, 403, "insufficient_role", `"required_role":"admin"`)
		}
		s.call(t, "GET", "/api/v1/events?kinds=node", s.token(t, root, readEvents).bearer(), "").want(t, 403, "insufficient_scope", "node:read")

		open := s.stream(t, "/api/v1/events", s.token(t, boss, node|auth.TokensRead).bearer(), "")
		if _, kind, data := open.next(); kind != "node.down" || data == "" {
			t.Errorf("a stream of an admin begins with %q", kind)
		}
		open.next() // the event of its token
		s.makeAdmin(t, boss, false)
		want(boss, node, "", "[]")
		s.nodeState(t, event.NodeIsUp) // not for boss
		s.makeAdmin(t, boss, true)
		s.nodeState(t, event.NodeIsBehind)
		want(boss, node, "", "[node.down node.behind]")
		want(root, node, "", "[node.down node.up node.behind]")
		s.makeAdmin(t, boss, false)
		want(boss, node|auth.TokensRead, "?kinds=token.created&limit=1", "[token.created]")
		want(boss, node, "", "[]")
		s.call(t, "GET", "/api/v1/events?kinds=node", s.token(t, boss, node).bearer(), "").want(t, 403, "insufficient_role")
	})
}

// TestNodeEvents_OpenStream: the stream of a user who is not an admin any more sends no
// events of the node, even if they were recorded before.
func TestNodeEvents_OpenStream(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		boss := s.user(t, "boss", true)
		k := s.token(t, boss, auth.EventsRead|auth.NodeRead|auth.TokensRead)
		open := s.stream(t, "/api/v1/events?after=latest", k.bearer(), "")
		open.nextID(t)
		s.nodeState(t, event.NodeIsDown)
		if _, kind, _ := open.next(); kind != "node.down" {
			t.Errorf("the stream sends %q", kind)
		}
		s.makeAdmin(t, boss, false)
		for _, kind := range []event.Kind{event.NodeUp, event.TokenCreated} {
			s.sql(t, `INSERT INTO events (user_id, kind, at, subject, data, actor_user, actor_token) VALUES ($1, $2, 0, '', '{}', '', '')`, boss.ID, kind)
		}
		if _, kind, _ := open.next(); kind != "token.created" {
			t.Errorf("the stream sends %q", kind)
		}
	})
}
