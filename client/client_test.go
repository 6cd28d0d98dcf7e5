package client_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// answer is the result of an attempt: a response, or an error of the connection.
type answer struct {
	status int
	body   string
	header map[string]string
	err    error
	cut    bool // the connection ends within the body
	hangs  bool // the server does not respond before the request is cancelled
	slow   bool // a line arrives every 10 seconds
}

// script is a connection that gives one answer after the other, and records the requests and
// their times. The last answer is repeated.
type script struct {
	answers []answer
	got     []*http.Request
	at      []time.Duration
	start   time.Time
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	a := s.answers[min(len(s.got), len(s.answers)-1)]
	s.got, s.at = append(s.got, r), append(s.at, time.Since(s.start))
	if a.hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if a.err != nil {
		return nil, a.err
	}
	header := http.Header{"X-Request-Id": {"r1"}}
	for name, value := range a.header {
		header.Set(name, value)
	}
	body := io.Reader(strings.NewReader(a.body))
	if a.slow {
		body = &slowReader{ctx: r.Context(), lines: strings.SplitAfter(a.body, "\n")}
	}
	if a.cut {
		body = io.MultiReader(body, brokenReader{})
	}
	return &http.Response{StatusCode: a.status, Header: header, Body: io.NopCloser(body), Request: r}, nil
}

type slowReader struct {
	ctx   context.Context //nolint:containedctx // of the request
	lines []string
}

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.lines) == 0 {
		return 0, io.EOF
	}
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case <-time.After(10 * time.Second):
	}
	n := copy(p, r.lines[0])
	r.lines = r.lines[1:]
	return n, nil
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func scripted(t *testing.T, s *script, options ...client.Option) *client.Client {
	t.Helper()
	s.start = time.Now()
	return testkit.Value(client.New("https://specterd.example", "the-token", append(options, client.WithHTTPClient(&http.Client{Transport: s}))...))(t)
}

const (
	busy    = `{"title": "Service Unavailable", "status": 503, "code": "server_busy", "detail": "too many requests are in progress", "request_id": "r2"}`
	running = `{"title": "Conflict", "status": 409, "code": "request_in_progress", "detail": "is in progress", "request_id": "r2"}`
	funds   = `{"title": "Conflict", "status": 409, "code": "insufficient_funds", "detail": "the funds do not suffice", "request_id": "r2"}`
)

var errLost = errors.New("connection reset by peer")

func TestRetries(t *testing.T) {
	get := func(ctx context.Context, c *client.Client) error { _, err := c.GetFees(ctx); return err }
	propose := func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateProposal(ctx, "savings", v1.CreateProposalRequest{})
		return err
	}
	broadcast := func(ctx context.Context, c *client.Client) error {
		_, err := c.BroadcastProposal(ctx, "savings", client.ProposalID("p"), v1.BroadcastProposalRequest{})
		return err
	}
	createToken := func(ctx context.Context, c *client.Client) error {
		_, err := c.CreateToken(ctx, v1.CreateTokenRequest{})
		return err
	}
	rename := func(ctx context.Context, c *client.Client) error {
		_, err := c.ChangeWallet(ctx, "savings", v1.ChangeWalletRequest{})
		return err
	}
	freeze := func(ctx context.Context, c *client.Client) error { return c.FreezeUTXO(ctx, "savings", "a:0") }
	lost, ok, empty := answer{err: errLost}, answer{status: 200, body: `{}`}, answer{status: 204}
	cut := answer{status: 200, body: `{"estim`, cut: true}
	after := func(a answer, seconds string) answer {
		a.header = map[string]string{"Retry-After": seconds}
		return a
	}
	for name, test := range map[string]struct {
		call    func(context.Context, *client.Client) error
		answers []answer
		want    int         // requests
		code    client.Code // of the error
		least   time.Duration
	}{
		"a read after a lost connection":                 {get, []answer{lost, ok}, 2, "", 250 * time.Millisecond},
		"a read after a response that is cut":            {get, []answer{cut, cut, ok}, 3, "", 750 * time.Millisecond},
		"a read that always fails":                       {get, []answer{lost}, 4, client.ErrNetwork, 1750 * time.Millisecond},
		"a proposal with a key":                          {propose, []answer{lost, cut, {status: 201, body: `{}`}}, 3, "", 750 * time.Millisecond},
		"a broadcast with a key":                         {broadcast, []answer{lost, ok}, 2, "", 250 * time.Millisecond},
		"a broadcast in progress":                        {broadcast, []answer{lost, after(answer{status: 409, body: running}, "1"), ok}, 3, "", 1250 * time.Millisecond},
		"a PUT":                                          {freeze, []answer{lost, empty}, 2, "", 250 * time.Millisecond},
		"a token, which takes no key":                    {createToken, []answer{lost, ok}, 1, client.ErrNetwork, 0},
		"a token, while the server is busy":              {createToken, []answer{after(answer{status: 503, body: busy}, "1"), ok}, 1, client.ErrServerBusy, 0},
		"a PATCH":                                        {rename, []answer{lost, ok}, 1, client.ErrNetwork, 0},
		"Retry-After":                                    {get, []answer{after(answer{status: 503, body: busy}, "7"), ok}, 2, "", 7 * time.Second},
		"Retry-After above the maximum":                  {get, []answer{after(answer{status: 503, body: busy}, "61"), ok}, 1, client.ErrServerBusy, 0},
		"503 without Retry-After":                        {get, []answer{{status: 503, body: busy}, ok}, 1, client.ErrServerBusy, 0},
		"a conflict":                                     {propose, []answer{{status: 409, body: funds}, ok}, 1, client.ErrInsufficientFunds, 0},
		"a proxy whose server does not respond":          {get, []answer{{status: 502, body: "<html>"}, ok}, 2, "", 250 * time.Millisecond},
		"a page of a proxy":                              {get, []answer{{status: 200, body: "<html>"}, ok}, 1, client.ErrInvalidResponse, 0},
		"a redirect":                                     {get, []answer{{status: 302, header: map[string]string{"Location": "https://other.example"}}, ok}, 1, client.ErrInvalidResponse, 0},
		"a certificate of an unknown authority":          {get, []answer{{err: &tls.CertificateVerificationError{Err: errLost}}, ok}, 1, client.ErrNetwork, 0},
		"a server that does not respond within a minute": {get, []answer{{hangs: true}, ok}, 2, "", time.Minute},
		"an answer without the expected body":            {get, []answer{{status: 200}, ok}, 1, client.ErrInvalidResponse, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: test.answers}
				err := test.call(t.Context(), scripted(t, s))
				if test.code == "" && err != nil || test.code != "" && !errors.Is(err, test.code) {
					t.Errorf("the error is %v, want %s", err, test.code)
				}
				if e, ok := errors.AsType[*client.Error](err); ok && e.Attempts != test.want {
					t.Errorf("%d attempts are reported, want %d", e.Attempts, test.want)
				}
				if len(s.got) != test.want || s.at[len(s.at)-1] < test.least || test.least == 0 && s.at[len(s.at)-1] > 0 {
					t.Errorf("%d requests at %v, want %d, the last after %v", len(s.got), s.at, test.want, test.least)
				}
				for _, r := range s.got {
					key := r.Header.Get("Idempotency-Key")
					if key != s.got[0].Header.Get("Idempotency-Key") || r.Method == http.MethodPost && len(s.got) > 1 && len(key) < 20 {
						t.Errorf("a request has the key %q", key)
					}
				}
			})
		})
	}
}

func TestKeys(t *testing.T) {
	s := &script{answers: []answer{{status: 201, body: `{}`}}}
	c := scripted(t, s)
	for range 2 {
		testkit.Value(c.CreateAddress(t.Context(), "savings", v1.CreateAddressRequest{}))(t)
	}
	testkit.Value(c.CreateAddress(t.Context(), "savings", v1.CreateAddressRequest{}, client.WithIdempotencyKey("order-17")))(t)
	var keys []string
	for _, r := range s.got {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
	}
	if keys[0] == keys[1] || keys[2] != "order-17" {
		t.Errorf("the keys are %q", keys)
	}
}

// TestCancel checks that a call ends with its context, also while it waits for a repetition.
func TestCancel(t *testing.T) {
	for name, a := range map[string]answer{
		"during a request":     {hangs: true},
		"before a repetition":  {err: errLost},
		"during a Retry-After": {status: 503, body: busy, header: map[string]string{"Retry-After": "30"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				s := &script{answers: []answer{a}}
				c, start := scripted(t, s), time.Now()
				_, err := c.GetFees(ctx)
				if took := time.Since(start); err == nil || took != 100*time.Millisecond || len(s.got) != 1 {
					t.Errorf("%v after %v and %d requests", err, took, len(s.got))
				}
				if a.hangs && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the cause of %v is not the deadline", err)
				}
			})
		})
	}
}

func TestErrors(t *testing.T) {
	for name, test := range map[string]struct {
		answer answer
		want   client.Error
		text   string
	}{
		"fields": {
			answer{status: 400, body: `{"title": "Bad Request", "status": 400, "code": "invalid_input", "detail": "keys: must be a list", "request_id": "r2", "errors": [{"field": "keys", "message": "must be a list"}, {"field": "name", "message": "is required"}]}`},
			client.Error{Code: "invalid_input", Status: 400, Message: "keys: must be a list", RequestID: "r2", Attempts: 1, Fields: []v1.ProblemField{{Field: "keys", Message: "must be a list"}, {Field: "name", Message: "is required"}}},
			"keys: must be a list; name: is required (invalid_input, status 400, request r2)",
		},
		"a scope": {
			answer{status: 403, body: `{"title": "Forbidden", "status": 403, "code": "insufficient_scope", "detail": "the token lacks a scope", "request_id": "r2", "required_scope": "node:read", "required_role": "viewer"}`},
			client.Error{Code: client.ErrInsufficientScope, Status: 403, Message: "the token lacks a scope", RequestID: "r2", Attempts: 1, RequiredScope: "node:read", RequiredRole: "viewer"},
			"the token lacks a scope (insufficient_scope, status 403, requires the scope node:read, request r2)",
		},
		"details": {
			answer{status: 409, header: map[string]string{"Retry-After": "5"}, body: `{"title": "Conflict", "status": 409, "code": "index_behind", "detail": "later", "details": {"height": "5"}, "limits": [{"layer": "wallet", "field": "max_sat", "message": "above"}], "permitted_at": "2026-11-30T12:00:00Z"}`},
			client.Error{Code: "index_behind", Status: 409, Message: "later", RequestID: "r1", Attempts: 1, RetryAfter: 5 * time.Second, Details: map[string]string{"height": "5"}, Limits: []v1.ProblemLimit{{Layer: "wallet", Field: "max_sat", Message: "above"}}, PermittedAt: new(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))},
			"later (index_behind, status 409, request r1)",
		},
		"a health probe": {
			answer{status: 500, body: `{"message": "Readyness probe failed"}`},
			client.Error{Code: "status_500", Status: 500, Message: "Readyness probe failed", RequestID: "r1", Attempts: 1},
			"Readyness probe failed (status_500, status 500, request r1)",
		},
		"a page of a proxy": {
			answer{status: 404, body: `<html>`},
			client.Error{Code: client.ErrInvalidResponse, Status: 404, Message: "the response 404 is not from specterd; check the address, and the proxy if there is one", RequestID: "r1", Attempts: 1},
			"the response 404 is not from specterd; check the address, and the proxy if there is one (invalid_response, status 404, request r1)",
		},
		"304": {
			answer{status: 304},
			client.Error{Code: client.ErrNotModified, Status: 304, Message: "the object has not changed", RequestID: "r1", Attempts: 1},
			"the object has not changed (not_modified, status 304, request r1)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := scripted(t, &script{answers: []answer{test.answer}}).GetNode(t.Context())
			e, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("the error is %v", err)
			}
			ignored := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".cause" }, cmp.Ignore())
			if d := cmp.Diff(test.want, *e, ignored); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if e.Error() != test.text || !errors.Is(err, test.want.Code) || errors.Is(err, client.ErrWalletNotFound) {
				t.Errorf("the text is %q, want %q", e.Error(), test.text)
			}
		})
	}
}

// TestArguments checks that invalid arguments are refused before a request is sent.
func TestArguments(t *testing.T) {
	s := &script{answers: []answer{{status: 200, body: `{}`}}}
	c := scripted(t, s)
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"{alias} of GET /api/v1/wallets/{alias} must not be \"\"":   func() error { _, err := c.GetWallet(ctx, "", nil); return err },
		"{alias} of GET /api/v1/wallets/{alias} must not be \"..\"": func() error { _, err := c.GetWallet(ctx, "..", nil); return err },
		"{id} of GET /api/v1/wallets/{alias}/proposals/{id} must not be": func() error {
			_, err := c.GetProposal(ctx, "savings", v1.ProposalDetails{}) // of a dry run
			return err
		},
		"takes no Idempotency-Key": func() error { _, err := c.GetFees(ctx, client.WithIdempotencyKey("x")); return err },
		"must consist of visible ASCII characters": func() error {
			_, err := c.CreateAddress(ctx, "savings", v1.CreateAddressRequest{}, client.WithIdempotencyKey("a b"))
			return err
		},
		"does not compare versions": func() error { _, err := c.GetFees(ctx, client.IfMatch(v1.PolicyDetails{Version: "1"})); return err },
		"the object has no ETag": func() error {
			_, err := c.DeletePolicy(ctx, "savings", client.IfMatch(v1.ProposalDetails{}))
			return err
		},
		"takes no If-None-Match": func() error {
			_, err := c.DeletePolicy(ctx, "savings", client.IfNoneMatch(v1.PolicyDetails{}))
			return err
		},
		"{alias} of GET /api/v1/wallets/{alias}/events must not be": func() (err error) {
			for _, err = range c.Events(ctx, "", &client.EventsParams{Wallet: ".."}) {
			}
			return err
		},
		"must not be \".\"":         func() error { return c.ExportTransactions(ctx, io.Discard, ".", client.CSV, nil) },
		"WaitFor requires a status": func() error { _, err := c.WaitFor(ctx, "savings", client.ProposalID("p")); return err },
	} {
		t.Run(name, func(t *testing.T) {
			if err := call(); !errors.Is(err, client.ErrInvalidRequest) || !strings.Contains(err.Error(), name) {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if len(s.got) > 0 {
		t.Errorf("%d requests were sent", len(s.got))
	}
}

func TestNew(t *testing.T) {
	for name, test := range map[string]struct {
		url, token string
		options    []client.Option
	}{
		"no scheme":              {url: "specterd.example"},
		"another scheme":         {url: "ftp://specterd.example"},
		"a credential":           {url: "https://user:password@specterd.example"},
		"a query":                {url: "https://specterd.example?x=y"},
		"a token with a space":   {url: "https://specterd.example", token: "a b"},
		"a token and a password": {url: "https://specterd.example", token: "t", options: []client.Option{client.WithPassword("user", "password")}},
		"a colon in the name":    {url: "https://specterd.example", options: []client.Option{client.WithPassword("u:ser", "password")}},
		"no timeout":             {url: "https://specterd.example", options: []client.Option{client.WithTimeout(0)}},
		"negative retries":       {url: "https://specterd.example", options: []client.Option{client.WithRetries(-1, 0)}},
		"no HTTP client":         {url: "https://specterd.example", options: []client.Option{client.WithHTTPClient(nil)}},
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := client.New(test.url, test.token, test.options...); err == nil {
				t.Errorf("%v is accepted", c)
			}
		})
	}
	s := &script{answers: []answer{{status: 200, body: `{}`}}}
	c := testkit.Value(client.New("https://specterd.example/prefix/", " the-token\n", client.WithHTTPClient(&http.Client{Transport: s}), client.WithUserAgent("shop/1")))(t)
	testkit.Value(c.GetFees(t.Context()))(t)
	if r := s.got[0]; r.URL.String() != "https://specterd.example/prefix/api/v1/fees" || r.Header.Get("Authorization") != "Bearer the-token" || r.UserAgent() != "shop/1" {
		t.Errorf("%s with %v", r.URL, r.Header)
	}
	if text := c.String(); strings.Contains(text, "the-token") {
		t.Errorf("the text of a client has the token: %s", text)
	}
}

func TestQuery(t *testing.T) {
	s := &script{answers: []answer{{status: 200, body: `{"items": [], "next_cursor": null}`}}}
	c := scripted(t, s)
	testkit.Value(c.ListAddressesPage(t.Context(), "savings", &client.ListAddressesParams{Limit: 5, Label: new(""), Used: new(false)}))(t)
	testkit.Value(c.ListProposalsPage(t.Context(), "savings", &client.ListProposalsParams{Status: []string{"created", "complete"}}))(t)
	testkit.Value(c.ListTransactionsPage(t.Context(), "savings", &client.ListTransactionsParams{MinAmountSat: 7, Dead: true, Label: "a&b"}))(t)
	testkit.Value(c.ListUsersPage(t.Context(), nil))(t)
	for i, want := range []string{"label=&limit=5&used=false", "status=created%2Ccomplete", "dead=true&label=a%26b&min_amount_sat=7", ""} {
		if got := s.got[i].URL.RawQuery; got != want {
			t.Errorf("the query is %q, want %q", got, want)
		}
	}
}

func TestPages(t *testing.T) {
	page := func(next string, names ...string) answer {
		return answer{status: 200, body: `{"items": [{"name": "` + strings.Join(names, `"}, {"name": "`) + `"}], "next_cursor": ` + next + `}`}
	}
	first, second := page(`"c2"`, "a", "b"), page("null", "c")
	t.Run("all", func(t *testing.T) {
		s := &script{answers: []answer{first, second, first, second}}
		users := scripted(t, s).ListUsers(t.Context(), &client.ListUsersParams{Limit: 2})
		for range 2 { // an iterator can be used again
			var names []string
			for u, err := range users {
				testkit.Check(t, err)
				names = append(names, u.Name)
			}
			if !slices.Equal(names, []string{"a", "b", "c"}) {
				t.Errorf("the names are %q", names)
			}
		}
		if got := s.got[3].URL.RawQuery; got != "cursor=c2&limit=2" || s.got[2].URL.RawQuery != "limit=2" {
			t.Errorf("the queries are %s and %s", s.got[2].URL.RawQuery, got)
		}
	})
	t.Run("without parameters", func(t *testing.T) {
		s := &script{answers: []answer{first, second}}
		n := 0
		for _, err := range scripted(t, s).ListMembers(t.Context(), "savings") {
			testkit.Check(t, err)
			n++
		}
		if n != 3 || s.got[1].URL.RawQuery != "cursor=c2" {
			t.Errorf("%d entries, with the query %s", n, s.got[1].URL.RawQuery)
		}
	})
	t.Run("until the loop ends", func(t *testing.T) {
		s := &script{answers: []answer{first, second}}
		for _, err := range scripted(t, s).ListUsers(t.Context(), nil) {
			testkit.Check(t, err)
			break
		}
		if len(s.got) != 1 {
			t.Errorf("%d requests", len(s.got))
		}
	})
	t.Run("until an error", func(t *testing.T) {
		s := &script{answers: []answer{first, {status: 409, body: funds}}}
		n := 0
		var last error
		for _, err := range scripted(t, s).ListUsers(t.Context(), nil) {
			n, last = n+1, err
		}
		if n != 3 || !errors.Is(last, client.ErrInsufficientFunds) {
			t.Errorf("%d entries, then %v", n, last)
		}
	})
}

func TestEventPages(t *testing.T) {
	page := func(next, more, ids string) answer {
		return answer{status: 200, body: `{"items": [{"id": "` + strings.ReplaceAll(ids, " ", `"}, {"id": "`) + `"}], "next_after": "` + next + `", "more": ` + more + `}`}
	}
	s := &script{answers: []answer{page("2", "true", "1 2"), page("3", "false", "3")}}
	var ids []string
	for e, err := range scripted(t, s).ListEvents(t.Context(), "savings", &client.ListEventsParams{After: "0", Kinds: []string{"transaction"}}) {
		testkit.Check(t, err)
		ids = append(ids, e.ID)
	}
	if !slices.Equal(ids, []string{"1", "2", "3"}) || len(s.got) != 2 || s.got[1].URL.RawQuery != "after=2&kinds=transaction" {
		t.Errorf("%q after %d requests", ids, len(s.got))
	}
}

// TestConnectionLost lets a real server close the connection before and within a response.
func TestConnectionLost(t *testing.T) {
	n := 0
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		switch n {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"address`))
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"address": "bcrt1"}`))
	}))
	defer server.Close()
	c := testkit.Value(client.New(server.URL, "the-token"))(t)
	a, err := c.CreateAddress(t.Context(), "savings", v1.CreateAddressRequest{})
	if err != nil || a.Address != "bcrt1" || n != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("%+v, %v after %d requests with %q", a, err, n, keys)
	}
}
