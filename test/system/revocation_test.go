package system

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestTokenRevocation_AcrossProcesses checks that a deleted token is refused in every
// request sent after the response to DELETE, on any connection and by any process on the
// database. The same holds for tokens deleted with SQL.
func TestTokenRevocation_AcrossProcesses(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		dir := t.TempDir()
		begin := func() []*server { return []*server{startServer(t, dir)} }
		revocationHolds(t, begin, shell(t, dir))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		url := testkit.Postgres(t)
		begin := func() []*server {
			one := startServer(t, t.TempDir(), "SPECTER_DATABASE_URL="+url, "SECRET_KEY="+testKey)
			return []*server{one, startServer(t, t.TempDir(), "SPECTER_DATABASE_URL="+url, "SECRET_KEY="+testKey)}
		}
		db, err := sql.Open("pgx", url)
		testkit.Check(t, err)
		t.Cleanup(func() { _ = db.Close() })
		revocationHolds(t, begin, db)
	})
}

// revocationHolds deletes tokens on one of the servers and uses them on all.
func revocationHolds(t *testing.T, begin func() []*server, db *sql.DB) {
	servers := begin()
	var ended []madeToken
	ways := map[string]func(id string){
		"by DELETE": func(id string) {
			if status := call(t.Context(), http.MethodDelete, servers[0].url+"/api/v1/tokens/"+id, "", nil, nil); status != http.StatusOK {
				t.Errorf("delete: status %d\n%s", status, servers[0].log)
			}
		},
		"at an SQL shell": func(id string) {
			_, err := db.ExecContext(t.Context(), "DELETE FROM tokens WHERE token_id = $1", id)
			testkit.Check(t, err)
		},
	}
	for name, end := range ways {
		u := newUsage(t)
		for round := range testkit.Size(1, 16) {
			made := servers[0].token(fmt.Sprint(name, round))
			ended = append(ended, made)
			u.around(servers, made.Secret, func() { end(made.ID) })
		}
		u.report("of tokens that were ended " + name)
	}
	for _, s := range servers {
		s.kill()
	}
	u := newUsage(t)
	servers = begin()
	for _, made := range ended[:testkit.Size(1, 16)] {
		u.around(servers, made.Secret, nil)
	}
	u.report("of tokens that were ended before a restart")
}

// connections is the number of clients. Each has one connection to each server.
const connections = 64

// usage is a group of clients with persistent connections, and counts their requests.
type usage struct {
	t       *testing.T
	clients [connections]http.Client

	dialed, refused, accepted atomic.Int64
}

func newUsage(t *testing.T) *usage {
	u := &usage{t: t}
	for i := range u.clients {
		u.clients[i].Transport = &http.Transport{}
	}
	return u
}

// around makes all clients use a token before its deletion, continuously during the deletion,
// and after the response to it. If end is nil, the token is already deleted.
func (u *usage) around(servers []*server, secret string, end func()) {
	var answered atomic.Bool
	answered.Store(end == nil)
	var running, accepted sync.WaitGroup
	accepted.Add(connections)
	for i := range u.clients {
		client := &u.clients[i]
		running.Go(func() {
			for n := 0; !answered.Load(); n++ {
				if status := u.use(client, servers[n%len(servers)], secret); n < len(servers) && status != http.StatusOK {
					u.t.Errorf("before the deletion: status %d", status)
				}
				if n == len(servers)-1 {
					accepted.Done()
				}
			}
			for n := range len(servers) * testkit.Size(4, 10) {
				switch status := u.use(client, servers[n%len(servers)], secret); status {
				case http.StatusUnauthorized:
					u.refused.Add(1)
				default:
					u.t.Errorf("after the deletion: status %d", status)
					u.accepted.Add(1)
				}
			}
		})
	}
	if end != nil {
		accepted.Wait()
		end()
		answered.Store(true)
	}
	running.Wait()
}

// use returns the status of a request with a token.
func (u *usage) use(client *http.Client, s *server, secret string) int {
	noted := httptrace.WithClientTrace(u.t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			u.dialed.Add(1)
		}
	}})
	return callWith(noted, client, http.MethodGet, s.url+"/api/v1/tokens/self", secret, nil, nil)
}

func (u *usage) report(what string) {
	u.t.Helper()
	testkit.Figure(u.t, "%d of %d requests accepted %s, on %d connections", u.accepted.Load(), u.accepted.Load()+u.refused.Load(), what, u.dialed.Load())
}
