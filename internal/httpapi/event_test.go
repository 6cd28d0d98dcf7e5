package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/admission"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// rename changes the name of a wallet, which has one event.
func (s *server) rename(t *testing.T, p testUser, alias, name string) {
	t.Helper()
	s.call(t, "PATCH", "/api/v1/wallets/"+alias, s.token(t, p, 0).bearer(), fmt.Sprintf(`{"name": %q}`, name)).want(t, 200)
}

const readEvents = auth.EventsRead | auth.WalletsRead

// TestEvents: pages of events, with positions, kinds and the rights of the moment.
func TestEvents(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, other := s.user(t, "p", false), s.user(t, "other", false)
		id := s.wallet(t, p, "vault", "owner")
		s.wallet(t, p, "second", "owner")
		for i := range 5 {
			s.rename(t, p, "vault", fmt.Sprint("name ", i))
		}
		s.rename(t, p, "second", "name")
		k := s.token(t, p, readEvents).bearer()
		ask := func(query string) answer { return s.call(t, "GET", query, k, "") }
		const path = "/api/v1/wallets/vault/events"

		first := ask(path+"?limit=2").want(t, 200, `"next_after":"2"`, `"more":true`, `"type":"wallet.renamed"`,
			`"data":{"wallet_id":"`+id+`","n":1,"before":{"name":"The vault"},"after":{"name":"name 0"}}`, `"actor":{"user":"p",`)
		if ids := first.list("id"); fmt.Sprint(ids) != "[1 2]" {
			t.Errorf("the first page is %v", ids)
		}
		if ids := ask(path+"?after=2").want(t, 200, `"more":false`, `"next_after":"5"`).list("id"); fmt.Sprint(ids) != "[3 4 5]" {
			t.Errorf("the second page is %v", ids)
		}
		for _, query := range []string{"?after=5", "?after=latest", "?kinds=transaction,member.added"} {
			ask(path+query).want(t, 200, `{"items":[],"next_after":"5","more":false}`)
		}
		for query, message := range map[string]string{
			"?after=x": "next_after", "?after=01": "next_after", "?after=-1": "next_after", "?kinds=tokens": "unknown kind", "?kinds=,": "unknown kind",
			"?wait=31": "0 to 30", "?limit=0": "1 to 1000",
		} {
			ask(path+query).want(t, 400, message)
		}
		ask(path+"?kinds=proposal").want(t, 403, `"insufficient_scope"`, "proposals:read")
		ask(path+"?after=6").want(t, 410, `"events_pruned"`)

		all := ask("/api/v1/events?limit=4").want(t, 200)
		rest := ask("/api/v1/events?after="+all.text("next_after")).want(t, 200, `"more":false`)
		if n := len(all.list("id")) + len(rest.list("id")); n != 6 {
			t.Errorf("%d events of all wallets", n)
		}
		for _, text := range []string{all.body, rest.body} {
			if strings.Contains(text, "token.") {
				t.Errorf("events of tokens for a token without tokens:read: %s", text)
			}
		}
		s.call(t, "GET", "/api/v1/events", s.token(t, p, 0).bearer(), "").want(t, 200, `"token.created"`)
		foreign := s.token(t, other, 0).bearer()
		s.call(t, "GET", "/api/v1/events?after="+all.text("next_after"), foreign, "").want(t, 410)
		s.call(t, "GET", path, foreign, "").want(t, 404)
		s.call(t, "GET", "/api/v1/events?kinds=wallet", foreign, "").want(t, 200, `"items":[]`)
		s.call(t, "GET", path, s.token(t, p, auth.WalletsRead).bearer(), "").want(t, 403, "events:read")
		s.call(t, "GET", path, s.token(t, p, 0, "second").bearer(), "").want(t, 404)
		if n := len(s.call(t, "GET", "/api/v1/events?kinds=wallet", s.token(t, p, 0, "second").bearer(), "").want(t, 200).list("id")); n != 1 {
			t.Errorf("a token for one wallet sees %d events", n)
		}

		lines := s.do(t, request{method: "GET", path: path + "?after=3", auth: []string{k}, header: map[string]string{"Accept": "application/jsonl"}}).want(t, 200)
		for _, accept := range []string{"application/jsonl", "text/event-stream"} {
			s.do(t, request{method: "GET", path: path + "?limit=1", auth: []string{k}, header: map[string]string{"Accept": accept}}).
				want(t, 400, "limit: must not be used with a stream or JSON Lines, which are complete; use after")
		}
		if n := strings.Count(lines.body, "\n"); n != 2 || !strings.HasPrefix(lines.body, `{"id":"4",`) {
			t.Errorf("JSON Lines: %s", lines.body)
		}

		testkit.Must(s.store.PruneEvents(t.Context(), s.clock.now().Add(time.Hour), 1<<40))
		ask(path+"?after=3").want(t, 410, `"oldest_id":"6"`)
		ask("/api/v1/events?after="+all.text("next_after")).want(t, 410)
		ask(path).want(t, 200, `{"items":[],"next_after":"5","more":false}`)
	})
}

// sse is an open stream of events.
type sse struct {
	res   *http.Response
	lines *bufio.Scanner
}

// stream opens a stream of events after an id.
func (s *server) stream(t *testing.T, path, bearer, lastID string) *sse {
	t.Helper()
	req := testkit.Must(http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil))
	req.Header = http.Header{"Authorization": {bearer}, "Accept": {"text/event-stream"}}
	if lastID != "" {
		req.Header.Set("Last-Event-Id", lastID)
	}
	res := testkit.Must(s.client.Do(req)) //nolint:bodyclose // at the end of the test
	t.Cleanup(func() { _ = res.Body.Close() })
	return &sse{res, bufio.NewScanner(res.Body)}
}

// next returns the id, the kind and the data of the next event; empty at the end.
func (e *sse) next() (id, kind, data string) {
	for e.lines.Scan() {
		name, value, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			return id, kind, value
		}
	}
	return "", "", ""
}

// nextID returns the next position that the stream sends.
func (e *sse) nextID(t *testing.T) string {
	t.Helper()
	for e.lines.Scan() {
		if id, ok := strings.CutPrefix(e.lines.Text(), "id: "); ok {
			return id
		}
	}
	t.Fatal("the stream has no position")
	return ""
}

// wantNext checks the next event of a stream.
func (e *sse) wantNext(t *testing.T, id string, kind event.Kind, text string) {
	t.Helper()
	if gotID, gotKind, data := e.next(); id != "" && gotID != id || gotKind != string(kind) || !strings.Contains(data, text) {
		t.Fatalf("the next event is %s %s %s, not %s %s with %s", gotID, gotKind, data, id, kind, text)
	}
}

// TestEventStream: a stream sends events when they are committed, continues where another
// one ended, and ends when the caller loses their access.
func TestEventStream(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, q := s.user(t, "p", false), s.user(t, "q", false)
		id := s.wallet(t, p, "vault", "owner")
		s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'viewer', 'v', 0)", id, q.ID)
		const path = "/api/v1/wallets/vault/events"
		s.rename(t, p, "vault", "one")
		k := s.token(t, p, readEvents)
		one := s.stream(t, path, k.bearer(), "")
		if h := one.res.Header; h.Get("Content-Type") != "text/event-stream" || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store" {
			t.Errorf("the header is %v", h)
		}
		one.wantNext(t, "1", event.WalletRenamed, `"name":"one"`)
		all := s.stream(t, "/api/v1/events?after=latest", k.bearer(), "")
		viewer := s.stream(t, "/api/v1/wallets/v/events", s.token(t, q, 0).bearer(), "1")
		began := time.Now()
		s.rename(t, p, "vault", "two")
		one.wantNext(t, "2", event.WalletRenamed, `"name":"two"`)
		all.wantNext(t, "", event.WalletRenamed, `"name":"two"`)
		viewer.wantNext(t, "2", event.WalletRenamed, `"name":"two"`)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the event took %v", took)
		}

		// A change by another process is found by polling.
		other, err := store.Open(t.Context(), store.Options{URL: s.address, BackupFolder: t.TempDir(), Log: slog.New(slog.DiscardHandler), Now: s.clock.now})
		testkit.Check(t, err)
		defer func() { testkit.Check(t, other.Close()) }()
		testkit.Check(t, other.Migrate(t.Context()))
		_, err = other.EditWallet(t.Context(), id, func(e *wallet.Edit) error { e.Name = "three"; return nil })
		testkit.Check(t, err)
		one.wantNext(t, "3", event.WalletRenamed, `"name":"three"`)
		viewer.wantNext(t, "3", event.WalletRenamed, `"name":"three"`)
		s.stream(t, path, k.bearer(), "2").wantNext(t, "3", event.WalletRenamed, `"name":"three"`)

		testkit.Check(t, s.store.EditMembers(t.Context(), auth.Operator("test"), id, func(e *wallet.MemberEdit) error {
			e.Members = e.Members[:1]
			return nil
		}))
		if _, kind, data := viewer.next(); kind != "" {
			t.Errorf("a removed member got the event %s %s", kind, data)
		}
		one.wantNext(t, "4", event.MemberRemoved, `"user":"q"`)
		all.wantNext(t, "", event.WalletRenamed, `"name":"three"`)
		all.wantNext(t, "", event.MemberRemoved, `"user":"q"`)

		began = time.Now()
		s.sql(t, "DELETE FROM tokens WHERE token_id = $1", k.id)
		if _, kind, data := one.next(); kind != "" {
			t.Errorf("a revoked token got the event %s %s", kind, data)
		}
		if _, kind, data := all.next(); kind != "" {
			t.Errorf("a revoked token got the event %s %s", kind, data)
		}
		t.Logf("the streams of a revoked token ended after %v", time.Since(began))
		s.do(t, request{method: "GET", path: path, auth: []string{k.bearer()}, header: map[string]string{"Accept": "text/event-stream"}}).want(t, 401)
	})
}

// TestEventWait: a request that waits gets the next event, or an empty page at the end of
// its time.
func TestEventWait(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	const path = "/api/v1/wallets/vault/events"
	s.call(t, "GET", path+"?wait=1", k, "").want(t, 200, `{"items":[],"next_after":"0","more":false}`)
	var renamed sync.WaitGroup
	renamed.Go(func() { s.rename(t, p, "vault", "one") })
	s.call(t, "GET", path+"?wait=30&after=0", k, "").want(t, 200, `"id":"1"`, `"next_after":"1"`)
	renamed.Wait()
	s.call(t, "GET", path+"?wait=30", k, "").want(t, 200, `"id":"1"`)
}

// TestEventWait_KeptConnection: requests that wait longer than the deadline for a header
// get their whole time, and the connection can be used again.
func TestEventWait_KeptConnection(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	reused := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Reused {
			reused++
		}
	}})
	for range 2 {
		req := testkit.Must(http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/wallets/vault/events?wait=7&after=0", nil))
		req.Header.Set("Authorization", k)
		began := time.Now()
		res := testkit.Must(s.client.Do(req)) //nolint:bodyclose // closed below
		body := testkit.Must(io.ReadAll(res.Body))
		testkit.Check(t, res.Body.Close())
		if took := time.Since(began); res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"next_after":"0"`) || took < 7*time.Second {
			t.Errorf("%d after %v: %s", res.StatusCode, took, body)
		}
	}
	if reused == 0 {
		t.Error("the connection was not used again")
	}
}

// TestEventStream_NewWallet: an open stream of all events has the events of wallets that the
// user joins or creates later.
func TestEventStream_NewWallet(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, q := s.user(t, "p", false), s.user(t, "q", false)
		id := s.wallet(t, p, "vault", "owner")
		all := s.stream(t, "/api/v1/events?after=latest", s.token(t, q, 0).bearer(), "")
		all.nextID(t)
		testkit.Check(t, s.store.EditMembers(t.Context(), auth.Operator("test"), id, func(e *wallet.MemberEdit) error {
			e.Members = append(e.Members, wallet.Member{UserID: q.ID, UserName: "q", Role: auth.RoleViewer, Alias: "v", CreatedAt: s.clock.now()})
			return nil
		}))
		all.wantNext(t, "", event.MemberAdded, `"user":"q"`)
		s.rename(t, p, "vault", "one")
		all.wantNext(t, "", event.WalletRenamed, `"name":"one"`)
	})
}

// TestEventStream_Reconnect: a stream that has sent no event has sent its position, after
// which the next one begins.
func TestEventStream_Reconnect(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	for _, path := range []string{"/api/v1/events?after=latest", "/api/v1/wallets/vault/events?after=latest"} {
		first := s.stream(t, path, k, "")
		id := first.nextID(t)
		testkit.Check(t, first.res.Body.Close())
		s.rename(t, p, "vault", "of "+path)
		s.stream(t, path, k, id).wantNext(t, "", event.WalletRenamed, "of "+path)
	}
}

// TestEventPositions_Private: positions do not reveal that others have new events.
func TestEventPositions_Private(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, other := s.user(t, "p", false), s.user(t, "other", false)
	s.wallet(t, other, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	seen := map[string]bool{}
	for i := range 4 {
		if i == 2 {
			s.rename(t, other, "vault", "one")
		}
		seen[s.call(t, "GET", "/api/v1/events", k, "").want(t, 200, `"items":[]`).text("next_after")] = true
	}
	if len(seen) != 4 {
		t.Errorf("4 requests had the positions %v", seen)
	}
	for at := range seen {
		s.call(t, "GET", "/api/v1/events?after="+at, k, "").want(t, 200, `"items":[]`)
	}
}

// TestEvents_DeletedWallet: if the newest events were deleted with their wallet, readers go on.
func TestEvents_DeletedWallet(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, other := s.user(t, "p", false), s.user(t, "other", false)
		s.wallet(t, p, "vault", "owner")
		id := s.wallet(t, other, "vault", "owner")
		s.rename(t, other, "vault", "one")
		k := s.token(t, p, readEvents).bearer()
		at := s.call(t, "GET", "/api/v1/events", k, "").want(t, 200).text("next_after")
		s.sql(t, "DELETE FROM wallets WHERE wallet_id = $1", id)
		s.sql(t, "DELETE FROM events WHERE user_id IS NOT NULL")
		at = s.call(t, "GET", "/api/v1/events?after="+at, k, "").want(t, 200, `"items":[]`).text("next_after")
		s.rename(t, p, "vault", "two")
		if kinds := s.call(t, "GET", "/api/v1/events?after="+at, k, "").want(t, 200).list("type"); fmt.Sprint(kinds) != "[wallet.renamed]" {
			t.Errorf("the events are %v", kinds)
		}
	})
}

// TestEventActors: the operator's account and the ids of other users' tokens are not shown.
func TestEventActors(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		p, q := s.user(t, "p", false), s.user(t, "q", false)
		id := s.wallet(t, p, "vault", "owner")
		testkit.Check(t, s.store.EditMembers(t.Context(), auth.Operator("root-of-host"), id, func(e *wallet.MemberEdit) error {
			e.Members = append(e.Members, wallet.Member{UserID: q.ID, UserName: "q", Role: auth.RoleViewer, Alias: "v", CreatedAt: s.clock.now()})
			e.Event = auth.Operator("root-of-host").Event(s.clock.now(), "member.add", "", "")
			return nil
		}))
		s.rename(t, p, "vault", "one")
		theirs := s.call(t, "GET", "/api/v1/wallets/v/events", s.token(t, q, 0).bearer(), "").want(t, 200,
			`"actor":{"user":null,"token_id":null}`, `"actor":{"user":"p","token_id":null}`)
		if strings.Contains(theirs.body, "root-of-host") {
			t.Errorf("the operator's account is shown: %s", theirs.body)
		}
		own := s.call(t, "GET", "/api/v1/wallets/vault/events", s.token(t, p, 0).bearer(), "").want(t, 200)
		if !strings.Contains(own.body, `"actor":{"user":"p","token_id":"`) {
			t.Errorf("an own token is not shown: %s", own.body)
		}
	})
}

// backlog inserts events of a wallet without any, as if they had been recorded.
func (s *server) backlog(t *testing.T, id string, n int) {
	t.Helper()
	s.sql(t, "INSERT INTO event_numbers (wallet_id, last) VALUES ($1, $2)", id, n)
	for i := range n {
		s.sql(t, "INSERT INTO events (wallet_id, n, kind, at, subject, data, actor_user, actor_token) VALUES ($1, $2, 'wallet.renamed', 0, '', '{}', '', '')", id, i+1)
	}
}

// TestEventStream_Slots: a stream has a slot while it sends old events, and none when it
// waits for new ones.
func TestEventStream_Slots(t *testing.T) {
	t.Parallel()
	s := start(t, func(set *setup) {
		set.routes = (&heavyRoutes{make(chan string, 100), make(chan struct{})}).add
		set.Gate = admission.New(admission.Limits{Slots: 1, PerUser: 1, Waiting: 1, UserBytes: 1 << 20, Bytes: 1 << 20, Patience: 300 * time.Millisecond})
	})
	p := s.user(t, "p", false)
	s.backlog(t, s.wallet(t, p, "vault", "owner"), 250)
	k := s.token(t, p, 0).bearer()
	const path = "/api/v1/wallets/vault/events"
	read := func(after string, want int) {
		t.Helper()
		st, n := s.stream(t, path, k, after), 0
		for n < want {
			if _, kind, _ := st.next(); kind == "" {
				break
			}
			n++
		}
		if n != want {
			t.Fatalf("%d events of %d", n, want)
		}
	}
	read("", 250)
	read("", 250) // the first one waits, and has no place
	ctx, stop := context.WithCancel(t.Context())
	req := testkit.Must(http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/endless", nil))
	req.Header.Set("Authorization", k)
	endless := testkit.Must(s.client.Do(req)) //nolint:bodyclose // closed below
	defer func() { _ = endless.Body.Close() }()
	read("200", 50)
	busy := s.stream(t, path, k, "")
	n := 0
	for _, kind, _ := busy.next(); kind != ""; _, kind, _ = busy.next() {
		n++
	}
	if n != 100 {
		t.Errorf("a stream without a place sent %d events", n)
	}
	s.call(t, "GET", path, k, "").want(t, 429, `"too_many_requests"`)
	stop()
	testkit.Eventually(t, "the place is free", func() bool { return s.call(t, "GET", path, k, "").status == 200 })
	read("", 250)
}

// TestEvents_Body: a request that can stay open must not have a body, which would take room
// for that long.
func TestEvents_Body(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	for _, path := range []string{"/api/v1/events", "/api/v1/wallets/vault/events?wait=30"} {
		s.call(t, "GET", path, k, `{"x": 1}`).want(t, 400, "must not have a body")
	}
}

// TestEvents_Latency: the metric of latencies has no time for which a response waited.
func TestEvents_Latency(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	took := map[string]time.Duration{}
	s := start(t, func(set *setup) {
		set.Observe = func(_, route string, _ int, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			took[route] = d
		}
	})
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	k := s.token(t, p, readEvents).bearer()
	st := s.stream(t, "/api/v1/events?after=latest", k, "")
	st.nextID(t)
	time.Sleep(100 * time.Millisecond) // until it rests
	s.clock.advance(time.Hour)
	testkit.Check(t, st.res.Body.Close())
	testkit.Eventually(t, "the stream has ended", func() bool {
		mu.Lock()
		defer mu.Unlock()
		d, ok := took["/api/v1/events"]
		if d > time.Minute {
			t.Fatalf("a stream is observed with %v", d)
		}
		return ok
	})
}

// TestEventStreamLimit: a user has a maximum number of open streams, which does not limit
// pages.
func TestEventStreamLimit(t *testing.T) {
	t.Parallel()
	s := start(t, func(set *setup) { set.streams = admission.NewStreams(2, 100) })
	p := s.user(t, "p", false)
	s.wallet(t, p, "vault", "owner")
	s.rename(t, p, "vault", "one")
	k := s.token(t, p, readEvents).bearer()
	const path = "/api/v1/wallets/vault/events"
	for range 2 {
		s.stream(t, path, k, "").wantNext(t, "1", event.WalletRenamed, "")
	}
	s.do(t, request{method: "GET", path: path, auth: []string{k}, header: map[string]string{"Accept": "text/event-stream"}}).want(t, 429, `"too_many_streams"`)
	s.call(t, "GET", path, k, "").want(t, 200)
}
