package store_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/egress"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// senders is a database, and processes that deliver its webhooks.
type senders struct {
	*fixture
	clock  *atomic.Int64 // microseconds; the clock of all processes
	client *egress.Client
	hooks  *webhook.Service
	one    *sender
}

// sender is one process.
type sender struct {
	*webhook.Deliverer
	db  *store.Store
	log *testkit.Log
	now func() time.Time
	w   *senders
}

func newSenders(b *fixture) *senders {
	s := &senders{fixture: b, clock: new(atomic.Int64)}
	s.clock.Store(b.now.UnixMicro())
	host, err := egress.ParseHost("127.0.0.1")
	testkit.Check(b.t, err)
	s.client = egress.New(egress.Options{Hosts: []egress.Host{host}, Now: time.Now})
	s.hooks = webhook.New(webhook.Options{Store: b, Client: s.client, Now: s.time, Wake: func() {}})
	s.one = s.sender()
	return s
}

func (s *senders) time() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }

// pass lets time pass.
func (s *senders) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.clock.Store(s.now.UnixMicro())
}

// sender starts another process, which makes passes only when the test says so.
func (s *senders) sender() *sender {
	s.t.Helper()
	options := s.options
	options.Now = s.time
	db, err := store.Open(s.t.Context(), options)
	testkit.Check(s.t, err)
	s.t.Cleanup(func() { testkit.Check(s.t, db.Close()) })
	testkit.Check(s.t, db.Migrate(s.t.Context()))
	log := new(testkit.Log)
	login := auth.NewLogin(slog.New(slog.DiscardHandler), db, nil, nil, nil, s.time)
	events := event.New(event.Options{Store: db, Recheck: login.Recheck, NotFound: wallet.ErrNotFound})
	p := &sender{db: db, log: log, now: s.time, w: s}
	p.Deliverer = webhook.NewDeliverer(webhook.DelivererOptions{
		Queue: db, Events: events, Principal: login.Standing, Client: s.client,
		Log: slog.New(slog.NewTextHandler(log, nil)), Now: s.time,
	})
	return p
}

// work makes passes until nothing is due.
func (p *sender) work() {
	p.w.t.Helper()
	for {
		testkit.Check(p.w.t, p.Run(p.w.t.Context()))
		p.Wait()
		next, err := p.Next(p.w.t.Context(), p.now())
		testkit.Check(p.w.t, err)
		if next.After(p.now()) {
			return
		}
	}
}

// received is a message that a receiver got.
type received struct {
	id, body string
	header   http.Header
	at       time.Time // by the clock of the senders
}

// data returns the data of the event.
func (r received) data() (d struct {
	WalletID string `json:"wallet_id"`
	N        int64  `json:"n"`
},
) {
	var m struct{ Data json.RawMessage }
	if json.Unmarshal([]byte(r.body), &m) == nil {
		_ = json.Unmarshal(m.Data, &d)
	}
	return d
}

// receiver is a real HTTP server. Answer may be replaced while no process makes a pass.
type receiver struct {
	URL    string
	answer func(w http.ResponseWriter, r received)
	mu     sync.Mutex
	got    []received
}

// responding returns an answer with a status.
func responding(status int) func(http.ResponseWriter, received) {
	return func(w http.ResponseWriter, _ received) { w.WriteHeader(status) }
}

func (s *senders) receiver() *receiver {
	r := &receiver{answer: responding(http.StatusNoContent)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		m := received{req.Header.Get("webhook-id"), string(body), req.Header, s.time()}
		r.mu.Lock()
		r.got = append(r.got, m)
		r.mu.Unlock()
		r.answer(w, m)
	}))
	s.t.Cleanup(server.Close)
	r.URL = server.URL + "/hook"
	return r
}

// take returns the messages since the last call.
func (r *receiver) take() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.got
	r.got = nil
	return got
}

// wantKinds checks the types of the messages since the last call.
func (r *receiver) wantKinds(t *testing.T, want ...string) []received {
	t.Helper()
	got := r.take()
	var kinds []string
	for _, m := range got {
		var e struct{ Type string }
		testkit.Check(t, json.Unmarshal([]byte(m.body), &e))
		kinds = append(kinds, e.Type)
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("the receiver got %v and not %v", kinds, want)
	}
	return got
}

// hook creates a webhook.
func (s *senders) hook(who *auth.Principal, r *receiver, change func(*webhook.Params)) webhook.Webhook {
	s.t.Helper()
	params := webhook.Params{Description: fmt.Sprint("hook ", r.URL), URL: r.URL}
	if change != nil {
		change(&params)
	}
	w, _, err := s.hooks.Create(s.t.Context(), who, params)
	testkit.Check(s.t, err)
	return w
}

func (s *senders) rename(w wallet.Wallet, names ...string) {
	s.t.Helper()
	for _, name := range names {
		_, err := s.EditWallet(s.t.Context(), w.ID, func(e *wallet.Edit) error { e.Name = name; return nil })
		testkit.Check(s.t, err)
	}
}

// deliveries returns the deliveries of a webhook, the oldest event first.
func (s *senders) deliveries(w webhook.Webhook) []webhook.Delivery {
	s.t.Helper()
	list, err := s.Deliveries(s.t.Context(), w.ID, "", "", math.MaxInt32)
	testkit.Check(s.t, err)
	slices.Reverse(list)
	return list
}

// attempts returns the log of a delivery.
func (s *senders) attempts(d webhook.Delivery) []webhook.Attempt {
	s.t.Helper()
	_, attempts, err := s.Delivery(s.t.Context(), d.WebhookID, d.ID)
	testkit.Check(s.t, err)
	return attempts
}

// wantStatus checks the statuses of the deliveries of a webhook.
func (s *senders) wantStatus(w webhook.Webhook, want ...webhook.Status) {
	s.t.Helper()
	var got []webhook.Status
	for _, d := range s.deliveries(w) {
		got = append(got, d.Status)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("the deliveries are %v and not %v", got, want)
	}
}

func (s *senders) load(u auth.User, w webhook.Webhook) webhook.Webhook {
	s.t.Helper()
	w, err := s.Webhook(s.t.Context(), u.ID, w.ID)
	testkit.Check(s.t, err)
	return w
}

// senderTest runs a test on both databases.
func senderTest(t *testing.T, test func(t *testing.T, s *senders)) {
	t.Helper()
	onBothEngines(t, func(t *testing.T, b *fixture) { test(t, newSenders(b)) })
}

// TestDelivery: a webhook gets the events after its creation, in their order, each as one
// message that an independent library verifies.
func TestDelivery(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w, n := s.quiet(alice)
		r := s.receiver()
		hook, secret, err := s.hooks.Create(t.Context(), s.byPassword("alice"), webhook.Params{Description: "shop", URL: r.URL})
		testkit.Check(t, err)
		s.one.work()
		r.wantKinds(t) // nothing from before
		s.rename(w, "second", "third")
		s.one.work()
		got := r.wantKinds(t, "wallet.renamed", "wallet.renamed")
		s.token(alice, "new", "")
		s.one.work()
		got = append(got, r.wantKinds(t, "token.created")...)
		verifier, err := standardwebhooks.NewWebhook(secret.Key)
		testkit.Check(t, err)
		for i, e := range append(s.events(w, n), s.userEvents(alice)...) {
			if want := string(e.Payload()); got[i].body != want {
				t.Errorf("message %d is %s and not %s", i, got[i].body, want)
			}
			testkit.Check(t, verifier.VerifyIgnoringTimestamp([]byte(got[i].body), got[i].header))
			if want := fmt.Sprint(s.time().Unix()); got[i].header.Get("webhook-timestamp") != want || got[i].header.Get("Content-Type") != "application/json" {
				t.Errorf("message %d has the header %v", i, got[i].header)
			}
			if got[i].id != webhook.DeliveryID(hook.ID, e) {
				t.Errorf("message %d has the id %s", i, got[i].id)
			}
		}
		s.wantStatus(hook, webhook.Delivered, webhook.Delivered, webhook.Delivered)
		for _, d := range s.deliveries(hook) {
			if a := s.attempts(d); len(a) != 1 || !a[0].Ended || a[0].Result.Status != 204 || a[0].Number != 1 || d.Attempts != 1 {
				t.Errorf("the log is %+v", a)
			}
		}
		s.one.work()
		s.sender().work() // a process that starts finds nothing to do
		r.wantKinds(t)
	})
}

// TestDelivery_Selection: kinds, groups and wallets select events, and another user's webhook
// gets none of them.
func TestDelivery_Selection(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice, bob := s.user("alice", false), s.user("bob", false)
		first, second := s.wallet(alice, "first"), s.wallet(alice, "second")
		everything, some, one, others := s.receiver(), s.receiver(), s.receiver(), s.receiver()
		who := s.byPassword("alice")
		s.hook(who, everything, nil)
		s.hook(who, some, func(p *webhook.Params) { p.Kinds = []string{"rescan", "wallet.renamed"} })
		s.hook(who, one, func(p *webhook.Params) { p.Wallets = []string{"second"} })
		s.hook(s.byPassword("bob"), others, nil)
		s.rename(first, "a")
		s.join(first, bob, auth.RoleViewer, "shared")
		s.one.work()
		everything.wantKinds(t, "wallet.renamed", "member.added")
		s.rename(second, "b")
		s.one.work()
		everything.wantKinds(t, "wallet.renamed")
		some.wantKinds(t, "wallet.renamed", "wallet.renamed")
		one.wantKinds(t, "wallet.renamed")
		s.rename(first, "c")
		s.one.work()
		if got := others.take(); len(got) == 0 || got[len(got)-1].data().WalletID != first.ID {
			t.Errorf("the new member got %v", got)
		}
		for i, invalid := range []webhook.Params{
			{Description: "x", URL: one.URL, Wallets: []string{"shared"}},
			{Description: "x", URL: one.URL, Kinds: []string{"wallet,spend"}, Order: "random"},
			{Description: "x", URL: one.URL, Kinds: []string{"nothing"}},
			{Description: "x", URL: one.URL, Kinds: []string{}},
			{Description: " ", URL: one.URL},
			{Description: "x", URL: "http://10.0.0.1/"},
		} {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				if _, _, err := s.hooks.Create(t.Context(), who, invalid); err == nil {
					t.Errorf("%+v was accepted", invalid)
				}
			})
		}
	})
}

// TestDelivery_Retries: a receiver that fails gets the same message again at the times of the
// schedule, ten times. Meanwhile, later events of the wallet wait, and those of another
// wallet do not; afterwards they are sent.
func TestDelivery_Retries(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w, other := s.wallet(alice, "vault"), s.wallet(alice, "other")
		r := s.receiver()
		failing := true
		r.answer = func(to http.ResponseWriter, m received) {
			if d := m.data(); failing && d.WalletID == w.ID {
				to.WriteHeader(http.StatusInternalServerError)
			}
		}
		hook := s.hook(s.byPassword("alice"), r, nil)
		s.rename(w, "first", "second")
		s.rename(other, "third")
		s.one.work()
		if got := r.take(); len(got) != 2 || got[0].data().WalletID == got[1].data().WalletID {
			t.Fatalf("the receiver got %v", got)
		}
		list := s.deliveries(hook)
		if list[1].Behind != list[0].ID || !list[1].BehindSince.Equal(list[0].StatusAt) || list[0].Behind != "" {
			t.Errorf("the second waits behind %q since %s", list[1].Behind, list[1].BehindSince)
		}
		start := s.time()
		var sent []received
		for s.time().Sub(start) < 4*24*time.Hour && s.deliveries(hook)[0].Status == webhook.Pending {
			due := s.deliveries(hook)[0].NextAt
			s.pass(due.Sub(s.time()) - time.Microsecond)
			s.one.work()
			if got := r.take(); len(got) != 0 {
				t.Fatalf("it was sent too early: %v", got)
			}
			s.pass(time.Microsecond)
			if s.deliveries(hook)[0].Failures == webhook.MaxAttempts-1 {
				failing = false
				r.answer = func(to http.ResponseWriter, m received) {
					if m.data().N == list[0].N {
						to.WriteHeader(http.StatusTeapot)
					}
				}
			}
			s.one.work()
			sent = append(sent, r.take()...)
		}
		s.wantStatus(hook, webhook.Failed, webhook.Delivered, webhook.Delivered)
		if len(sent) != 10 || sent[9].data().N != list[1].N {
			t.Fatalf("%d messages were sent", len(sent))
		}
		log := s.attempts(list[0])
		if len(log) != webhook.MaxAttempts {
			t.Fatalf("the log is %+v", log)
		}
		for i, want := range []time.Duration{5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
			if got := log[i+1].At.Sub(log[i].At); got < want*8/10 || got > want*12/10+time.Second {
				t.Errorf("attempt %d was %s after the one before", i+2, got)
			}
			if sent[i].id != sent[0].id || sent[i].body != sent[0].body {
				t.Errorf("attempt %d has another message", i+2)
			}
		}
		if a := log[0].Result; a.Status != 500 || a.Took == 0 {
			t.Errorf("the first attempt has the result %+v", a)
		}
	})
}

// TestDelivery_Unordered: without an order, no event waits for another.
func TestDelivery_Unordered(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		w := s.wallet(s.user("alice", false), "vault")
		r := s.receiver()
		var first atomic.Pointer[string]
		r.answer = func(to http.ResponseWriter, m received) {
			if first.CompareAndSwap(nil, &m.id); m.id == *first.Load() {
				to.WriteHeader(http.StatusBadGateway)
			}
		}
		hook := s.hook(s.byPassword("alice"), r, func(p *webhook.Params) { p.Order = webhook.OrderNone })
		s.rename(w, "a", "b", "c")
		s.one.work()
		if got := r.take(); len(got) != 3 {
			t.Errorf("the receiver got %v", got)
		}
		delivered := 0
		for _, d := range s.deliveries(hook) {
			if d.Status == webhook.Delivered {
				delivered++
			}
		}
		if delivered != 2 {
			t.Errorf("%d were delivered", delivered)
		}
	})
}

// TestDelivery_Responses: what receivers can do to a message.
func TestDelivery_Responses(t *testing.T) {
	endless := make([]byte, 1<<20)
	closing := func(w http.ResponseWriter, head string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		_, _ = io.WriteString(conn, head)
		_ = conn.Close()
	}
	for name, c := range map[string]struct {
		answer   func(http.ResponseWriter, received)
		status   webhook.Status
		code     int
		after    time.Duration // least time until the next attempt
		disabled webhook.Reason
		problem  bool // whether there is no response
	}{
		"success": {responding(http.StatusAccepted), webhook.Delivered, 202, 0, "", false},
		"redirect": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusMovedPermanently)
		}, webhook.Pending, 301, 4 * time.Second, "", false},
		"not found": {responding(http.StatusNotFound), webhook.Pending, 404, 4 * time.Second, "", false},
		"gone":      {responding(http.StatusGone), webhook.Pending, 410, 4 * time.Second, webhook.Gone, false},
		"too many": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, webhook.Pending, 429, time.Hour, "", false},
		"unavailable": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, webhook.Pending, 503, 4 * time.Second, "", false},
		"not now": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusInternalServerError)
		}, webhook.Pending, 500, 4 * time.Second, "", false},
		"closes": {func(w http.ResponseWriter, _ received) { closing(w, "") }, webhook.Pending, 0, 4 * time.Second, "", true},
		"closes inside": {func(w http.ResponseWriter, _ received) {
			closing(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
		}, webhook.Delivered, 200, 0, "", false},
		"5 GB": {func(w http.ResponseWriter, _ received) {
			w.Header().Set("Content-Length", "5000000000")
			for range 5000 {
				if _, err := w.Write(endless); err != nil {
					return
				}
			}
		}, webhook.Delivered, 200, 0, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSenders(openSQLite(t))
			alice := s.user("alice", false)
			w := s.wallet(alice, "vault")
			r := s.receiver()
			r.answer = c.answer
			hook := s.hook(s.byPassword("alice"), r, nil)
			s.rename(w, "new name")
			s.one.work()
			s.wantStatus(hook, c.status)
			d := s.deliveries(hook)[0]
			a := s.attempts(d)
			if len(a) != 1 || a[0].Result.Status != c.code || (a[0].Result.Problem != "") != c.problem {
				t.Errorf("the log is %+v", a)
			}
			if c.status == webhook.Pending && (d.NextAt.Sub(s.time()) < c.after || d.NextAt.Sub(s.time()) > max(c.after, 6*time.Second)) {
				t.Errorf("the next attempt is after %s", d.NextAt.Sub(s.time()))
			}
			if got := s.load(alice, hook).Reason; got != c.disabled {
				t.Errorf("the webhook is disabled because of %q", got)
			}
		})
	}
}

// TestDelivery_HangingReceiver: a receiver that does not respond delays no other one.
func TestDelivery_HangingReceiver(t *testing.T) {
	testkit.NeedsTime(t)
	senderTest(t, func(t *testing.T, s *senders) {
		alice, bob := s.user("alice", false), s.user("bob", false)
		hanging, good := s.receiver(), s.receiver()
		stop := make(chan struct{})
		hanging.answer = func(http.ResponseWriter, received) { <-stop }
		var of []wallet.Wallet
		for i := range 20 { // more than there are slots
			w := s.wallet(alice, fmt.Sprint("w", i))
			of = append(of, w)
		}
		s.join(of[0], bob, auth.RoleViewer, "shared")
		hook := s.hook(s.byPassword("alice"), hanging, nil)
		s.hook(s.byPassword("bob"), good, nil)
		for _, w := range of[1:] {
			s.rename(w, "x")
		}
		testkit.Check(t, s.one.Run(t.Context()))
		testkit.Eventually(t, "the receiver hangs", func() bool { hanging.mu.Lock(); defer hanging.mu.Unlock(); return len(hanging.got) == 2 })
		s.rename(of[0], "y")
		testkit.Check(t, s.one.Run(t.Context()))
		testkit.Eventually(t, "the other receiver has its message", func() bool { return len(good.take()) == 1 })
		if got := len(hanging.take()); got != 2 {
			t.Errorf("the hanging receiver has %d requests", got)
		}
		s.one.Wait() // for the time limit of a request
		close(stop)
		ended := 0
		for _, d := range s.deliveries(hook) {
			for _, a := range s.attempts(d) {
				if a.Ended && a.Result.Problem != "" && a.Result.Status == 0 {
					ended++
				}
			}
		}
		if ended != 2 {
			t.Errorf("%d attempts have failed", ended)
		}
	})
}

// TestDelivery_KilledProcess: a delivery of a process that was killed is taken over when its
// lease ends, and the log shows both attempts.
func TestDelivery_KilledProcess(t *testing.T) {
	senderTest(t, func(t *testing.T, s *senders) {
		alice := s.user("alice", false)
		w := s.wallet(alice, "vault")
		r := s.receiver()
		hook := s.hook(s.byPassword("alice"), r, nil)
		s.rename(w, "a", "b")
		s.one.work()
		r.wantKinds(t, "wallet.renamed", "wallet.renamed")
		s.rename(w, "c", "d")
		list, _, err := s.EventsOfWallet(t.Context(), w.ID, 0, nil, 100)
		testkit.Check(t, err)
		testkit.Check(t, s.AddDeliveries(t.Context(), s.load(alice, hook), list[len(list)-2:], list[len(list)-1].Seq))
		claim := webhook.Claim{Now: s.time(), Until: s.time().Add(30 * time.Second), Holder: "killed", PerHost: 2, PerUser: 8, Limit: 16}
		claimed, err := s.ClaimDeliveries(t.Context(), claim)
		testkit.Check(t, err)
		if len(claimed) != 1 {
			t.Fatalf("%d deliveries of a queue were leased", len(claimed))
		}
		s.one.work()
		s.pass(29 * time.Second)
		s.one.work()
		r.wantKinds(t) // it is leased, and the next one waits
		s.pass(2 * time.Second)
		s.one.work()
		r.wantKinds(t, "wallet.renamed", "wallet.renamed")
		a := s.attempts(claimed[0])
		if len(a) != 2 || a[0].Ended || !a[1].Ended || a[1].Result.Status != 204 {
			t.Errorf("the log is %+v", a)
		}
		// The result of the killed process, which was only slow, changes nothing.
		_, err = s.EndAttempt(t.Context(), claimed[0], "killed", &egress.Result{Status: 500, Excerpt: "late"}, func(_ *webhook.Webhook, d *webhook.Delivery) { d.Status = webhook.Failed })
		testkit.Check(t, err)
		s.wantStatus(hook, webhook.Delivered, webhook.Delivered, webhook.Delivered, webhook.Delivered)
		if a := s.attempts(claimed[0]); !a[0].Ended || a[0].Result.Status != 500 || a[0].Result.Excerpt != "late" {
			t.Errorf("the log is %+v", a)
		}
	})
}
