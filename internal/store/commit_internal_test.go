package store

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// commitRelay forwards connections to a PostgreSQL server. While it is armed, it holds the
// response to a commit back.
type commitRelay struct {
	t       *testing.T
	server  string
	armed   atomic.Bool
	reached chan struct{} // receives a value when the server has committed
	forward chan bool     // whether the response is forwarded, or the connection closed
}

// newCommitRelay returns a relay to the server of a database, and the URL of the database
// through it.
func newCommitRelay(t *testing.T, database string) (*commitRelay, string) {
	t.Helper()
	u, err := url.Parse(database)
	testkit.Check(t, err)
	r := &commitRelay{t: t, server: u.Host, reached: make(chan struct{}), forward: make(chan bool)}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	testkit.Check(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go r.serve(client)
		}
	}()
	u.Host = listener.Addr().String()
	return r, u.String()
}

func (r *commitRelay) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).Dial("tcp", r.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var committing atomic.Bool
	go copyChunks(server, client, func(chunk []byte) bool {
		if bytes.Contains(chunk, []byte("commit\x00")) && r.armed.CompareAndSwap(true, false) {
			committing.Store(true)
		}
		return true
	})
	copyChunks(client, server, func([]byte) bool {
		if !committing.CompareAndSwap(true, false) {
			return true
		}
		r.reached <- struct{}{}
		return <-r.forward
	})
}

// copyChunks copies until pass returns false or a connection ends.
func copyChunks(to, from net.Conn, pass func(chunk []byte) bool) {
	defer func() { _ = to.Close() }()
	chunk := make([]byte, 64<<10)
	for {
		n, err := from.Read(chunk)
		if err != nil || !pass(chunk[:n]) {
			return
		}
		if _, err := to.Write(chunk[:n]); err != nil {
			return
		}
	}
}

// TestCommit checks that a commit is not interrupted by the end of its context, and that a
// commit without a response is not reported as if nothing had been changed. In SQLite, a commit
// is a call of a function, which returns its result.
func TestCommit(t *testing.T) {
	relay, database := newCommitRelay(t, testkit.Postgres(t))
	s, err := Open(t.Context(), Options{URL: database, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: time.Now})
	testkit.Check(t, err)
	t.Cleanup(func() { _ = s.Close() })
	testkit.Check(t, s.Migrate(t.Context()))
	for name, in := range map[string]transaction{"transaction": s.inTx, "bulk transaction": s.inBulkTx} {
		for end, forward := range map[string]bool{"context ends": true, "connection ends": false} {
			t.Run(name+", "+end, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					<-relay.reached
					if forward {
						cancel()
						<-time.After(100 * time.Millisecond) // for code that notices it
					}
					relay.forward <- forward
				}()
				relay.armed.Store(true)
				err := in(ctx, func(q *db.Queries) error {
					_, err := q.PutSettingOnce(ctx, db.PutSettingOnceParams{Name: name + end, Value: "x"})
					return err
				})
				if want := !forward; errors.Is(err, ErrUnconfirmed) != want || !want && err != nil {
					t.Errorf("the error is %v", err)
				}
				if value, err := db.New(s.ro).Setting(t.Context(), name+end); value != "x" {
					t.Errorf("the change was not made: %v", err)
				}
			})
		}
	}
}
