package client_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/client"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

func message(id, data string) string {
	text := ""
	if id != "" {
		text += "id: " + id + "\n"
	}
	if data != "" {
		text += "event: x\ndata: " + data + "\n"
	}
	return text + "\n"
}

func event(id string) string { return message(id, `{"id": "`+id+`", "type": "transaction.seen"}`) }

// TestEvents reads a stream through interruptions.
func TestEvents(t *testing.T) {
	unauthorized := answer{status: 401, body: `{"title": "Unauthorized", "status": 401, "code": "unauthenticated", "detail": "invalid credentials"}`}
	pruned := answer{status: 410, body: `{"title": "Gone", "status": 410, "code": "events_pruned", "detail": "events after this position were deleted"}`}
	for name, test := range map[string]struct {
		answers []answer
		after   string
		ids     string   // of the events
		sent    []string // after and Last-Event-ID of each connection
		code    client.Code
	}{
		"one connection":            {[]answer{{status: 200, body: event("1") + ": a comment\n\n" + event("2")}, unauthorized}, "", "1 2", []string{" ", "2 2"}, client.ErrUnauthenticated},
		"after a cut":               {[]answer{{status: 200, body: event("1") + "id: 2\nda", cut: true}, {err: errLost}, {status: 502, body: "<html>"}, {status: 200, body: event("2")}, unauthorized}, "0", "1 2", []string{"0 ", "1 1", "1 1", "1 1", "2 2"}, client.ErrUnauthenticated},
		"a position without events": {[]answer{{status: 200, body: message("9", ""), cut: true}, unauthorized}, "latest", "", []string{"latest ", "9 9"}, client.ErrUnauthenticated},
		"data in two lines":         {[]answer{{status: 200, body: "id: 1\r\ndata: {\"id\": \"1\",\r\ndata: \"type\": \"x\"}\r\n\r\n"}, pruned}, "", "1", []string{" ", "1 1"}, client.ErrEventsPruned},
		"data that is not an event": {[]answer{{status: 200, body: message("1", "{")}}, "", "", []string{" "}, client.ErrInvalidResponse},
		"a deleted position":        {[]answer{pruned}, "3", "", []string{"3 "}, client.ErrEventsPruned},
		"a silent connection":       {[]answer{{hangs: true}, {status: 200, body: event("1")}, unauthorized}, "", "1", []string{" ", " ", "1 1"}, client.ErrUnauthenticated},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: test.answers}
				var ids []string
				var last error
				for e, err := range scripted(t, s).Events(t.Context(), test.after, &client.EventsParams{Wallet: "savings", Kinds: []string{"transaction", "proposal"}}) {
					if last = err; err == nil {
						ids = append(ids, e.ID)
					}
				}
				if got := strings.Join(ids, " "); got != test.ids || !errors.Is(last, test.code) {
					t.Errorf("the events are %q, want %q, then %v, want %s", got, test.ids, last, test.code)
				}
				if len(s.got) != len(test.sent) {
					t.Fatalf("%d connections, want %d", len(s.got), len(test.sent))
				}
				for i, r := range s.got {
					if got := r.URL.Query().Get("after") + " " + r.Header.Get("Last-Event-ID"); got != test.sent[i] || r.URL.Path != "/api/v1/wallets/savings/events" || r.URL.Query().Get("kinds") != "transaction,proposal" || r.Header.Get("Accept") != "text/event-stream" {
						t.Errorf("connection %d: %s with %q, want %q", i, r.URL, got, test.sent[i])
					}
				}
			})
		})
	}
	t.Run("delays", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			positions := strings.Repeat(message("1", ""), 6) // for two minutes, a line every 10 seconds
			s := &script{answers: []answer{{hangs: true}, {err: errLost}, {err: errLost}, {status: 200, body: positions, slow: true}, {err: errLost}, unauthorized}}
			for range scripted(t, s).Events(t.Context(), "", nil) { //nolint:errcheck // the last error is the end of the script
			}
			for i, limits := range [][2]time.Duration{{45 * time.Second, 46 * time.Second}, {0, time.Second}, {time.Second, 2 * time.Second}, {2 * time.Minute, 3 * time.Minute}, {0, time.Second}} {
				if took := s.at[i+1] - s.at[i]; took < limits[0] || took > limits[1] {
					t.Errorf("connection %d follows after %v, want %v", i+1, took, limits)
				}
			}
		})
	})
	t.Run("until the loop ends", func(t *testing.T) {
		s := &script{answers: []answer{{status: 200, body: event("1") + event("2")}}}
		for _, err := range scripted(t, s).Events(t.Context(), "", nil) {
			testkit.Check(t, err)
			break
		}
		if len(s.got) != 1 || s.got[0].URL.Path != "/api/v1/events" {
			t.Errorf("%d connections", len(s.got))
		}
	})
	t.Run("until the context ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			s := &script{answers: []answer{{err: errLost}}}
			start := time.Now()
			var last error
			for _, err := range scripted(t, s).Events(ctx, "", nil) {
				last = err
			}
			if n := len(s.got); !errors.Is(last, context.DeadlineExceeded) || time.Since(start) != time.Hour || n < 120 || n > 260 { // at most 30 s apart
				t.Errorf("%v after %v and %d connections", last, time.Since(start), n)
			}
		})
	})
}

func TestWaitFor(t *testing.T) {
	is := func(status string) answer {
		return answer{status: 200, body: `{"id": "p", "status": "` + status + `", "reason": "unknown recipient"}`, header: map[string]string{"ETag": `W/"7"`}}
	}
	unchanged := answer{status: 304}
	for name, test := range map[string]struct {
		answers []answer
		want    []string
		status  string // of the result
		err     error
		took    time.Duration
	}{
		"at once":             {[]answer{is("broadcast")}, []string{"complete"}, "broadcast", nil, 0},
		"later":               {[]answer{is("created"), unchanged, is("complete")}, []string{"complete"}, "complete", nil, 2 * time.Second},
		"one of several":      {[]answer{is("created"), is("rejected")}, []string{"complete", "rejected"}, "rejected", nil, time.Second},
		"an unknown status":   {[]answer{is("frozen"), is("complete")}, []string{"complete"}, "complete", nil, time.Second},
		"a closed proposal":   {[]answer{is("rejected")}, []string{"complete"}, "", client.ErrProposalClosed, 0},
		"no further status":   {[]answer{is("confirmed")}, []string{"rejected"}, "", client.ErrProposalClosed, 0},
		"an error":            {[]answer{is("created"), {status: 409, body: funds}}, []string{"complete"}, "", client.ErrInsufficientFunds, time.Second},
		"the time has passed": {[]answer{is("created"), unchanged}, []string{"complete"}, "", context.DeadlineExceeded, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				s := &script{answers: test.answers}
				start := time.Now()
				p, err := scripted(t, s).WaitFor(ctx, "savings", client.ProposalID("p"), test.want...)
				if !errors.Is(err, test.err) || err == nil && p.Status != test.status || time.Since(start) != test.took {
					t.Errorf("%+v, %v after %v", p, err, time.Since(start))
				}
				if len(s.got) > 1 && s.got[1].Header.Get("If-None-Match") != `"7"` {
					t.Errorf("If-None-Match is %q", s.got[1].Header.Get("If-None-Match"))
				}
				if errors.Is(err, client.ErrProposalClosed) && !strings.Contains(err.Error(), "unknown recipient") {
					t.Errorf("%v lacks the reason", err)
				}
			})
		})
	}
}

// TestVersions checks that the methods which change a proposal send its version.
func TestVersions(t *testing.T) {
	s := &script{answers: []answer{{status: 200, body: `{"id": "p"}`, header: map[string]string{"ETag": `"8"`}}}}
	c := scripted(t, s)
	ctx := t.Context()
	p := testkit.Value(c.GetProposal(ctx, "savings", client.ProposalID("p")))(t)
	testkit.Value(c.BroadcastProposal(ctx, "savings", p, v1.BroadcastProposalRequest{}))(t)
	testkit.Value(c.ApproveProposal(ctx, "savings", p.ProposalSummary))(t)
	testkit.Value(c.CancelProposal(ctx, "savings", client.ProposalID("p"), client.IfMatch(v1.ProposalDetails{ProposalSummary: p.ProposalSummary, Version: 3})))(t)
	for i, want := range []string{"", `"8"`, "", `"3"`} {
		if got := s.got[i].Header.Get("If-Match"); got != want || !strings.Contains(s.got[i].URL.Path, "/proposals/p") {
			t.Errorf("request %d, %s, has If-Match %q, want %q", i, s.got[i].URL, got, want)
		}
	}
	lacking := scripted(t, &script{answers: []answer{{status: 204}}})
	if p, err := lacking.BroadcastProposal(ctx, "savings", p, v1.BroadcastProposalRequest{}); p != nil || err != nil {
		t.Errorf("without the scope to read it: %+v, %v", p, err)
	}
}

func TestVerifyWebhook(t *testing.T) {
	body := []byte(`{"type": "transaction.seen", "timestamp": "2026-12-01T10:00:00.25Z", "data": {"n": 5}}`)
	secret, other := "whsec_"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32)), "whsec_"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{2}, 32))
	signed := func(at time.Time, secrets ...string) http.Header {
		header := http.Header{}
		header.Set("webhook-id", "msg_1")
		header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		var signatures []string
		for _, s := range secrets {
			wh := testkit.Value(standardwebhooks.NewWebhook(s))(t)
			signatures = append(signatures, testkit.Value(wh.Sign("msg_1", at, body))(t))
		}
		header.Set("webhook-signature", strings.Join(signatures, " "))
		return header
	}
	now := time.Now()
	for name, test := range map[string]struct {
		header  http.Header
		body    []byte
		secrets []string
		wrong   string
	}{
		"valid":                      {signed(now, secret), body, []string{secret}, ""},
		"signed with two secrets":    {signed(now, other, secret), body, []string{secret}, ""},
		"verified with two secrets":  {signed(now, secret), body, []string{other, secret}, ""},
		"another secret":             {signed(now, other), body, []string{secret}, "no signature is valid"},
		"another body":               {signed(now, secret), append(body[:len(body):len(body)], ' '), []string{secret}, "no signature is valid"},
		"no signature":               {signed(now), body, []string{secret}, "no signature is valid"},
		"old":                        {signed(now.Add(-5*time.Minute-2*time.Second), secret), body, []string{secret}, "before or after now"},
		"from the future":            {signed(now.Add(5*time.Minute+2*time.Second), secret), body, []string{secret}, "before or after now"},
		"no headers":                 {http.Header{}, body, []string{secret}, "is missing or invalid"},
		"no secret":                  {signed(now, secret), body, nil, "requires a secret"},
		"a secret without its start": {signed(now, secret), body, []string{secret[6:]}, "must be whsec_ and base64"},
		"an empty secret":            {signed(now, secret), body, []string{"whsec_"}, "must be whsec_ and base64"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := client.VerifyWebhook(test.header, test.body, test.secrets...)
			if test.wrong == "" {
				if err != nil || m.ID != "msg_1" || m.Type != "transaction.seen" || string(m.Data) != `{"n": 5}` || m.Timestamp.Nanosecond() != 250_000_000 {
					t.Errorf("%+v, %v", m, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("the error is %v", err)
			}
			if len(test.secrets) == 1 && strings.HasPrefix(test.secrets[0], "whsec_A") && !errors.Is(err, client.ErrUntrustedMessage) {
				t.Errorf("%v is not ErrUntrustedMessage", err)
			}
		})
	}
}

// brokenWriter fails after some bytes.
type brokenWriter struct{ left int }

var errFull = errors.New("the disk is full")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		return 0, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestExport(t *testing.T) {
	s := &script{answers: []answer{{status: 200, body: "time,amount\n"}, {status: 200, body: "a,b\n"}, {status: 200, body: "a,", cut: true}, {status: 200, body: "a,b\n"}, {status: 503, body: busy}}}
	c := scripted(t, s)
	var b bytes.Buffer
	testkit.Check(t, c.ExportTransactions(t.Context(), &b, "savings", client.CSV, &client.ListTransactionsParams{View: "ledger", BOM: true}))
	testkit.Check(t, c.ExportAllTransactions(t.Context(), &b, client.JSONLines, nil))
	if b.String() != "time,amount\na,b\n" || s.got[0].URL.String() != "https://specterd.example/api/v1/wallets/savings/transactions?bom=true&view=ledger" || s.got[0].Header.Get("Accept") != "text/csv" || s.got[1].Header.Get("Accept") != "application/jsonl" {
		t.Errorf("%s wrote %q", s.got[0].URL, b.String())
	}
	if err := c.ExportTransactions(t.Context(), &b, "savings", client.CSV, nil); !errors.Is(err, client.ErrNetwork) {
		t.Errorf("a cut: %v", err)
	}
	if err := c.ExportTransactions(t.Context(), &brokenWriter{}, "savings", client.CSV, nil); !errors.Is(err, errFull) || errors.Is(err, client.ErrNetwork) {
		t.Errorf("a full disk: %v", err)
	}
	if err := c.ExportTransactions(t.Context(), &b, "savings", client.CSV, nil); !errors.Is(err, client.ErrServerBusy) || len(s.got) != 5 {
		t.Errorf("a busy server: %v after %d requests", err, len(s.got))
	}
}

func TestExportLabels(t *testing.T) {
	line := `{"type": "addr", "ref": "a", "label": "x"}` + "\n"
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []answer{{status: 200, body: line + `{"ty`, cut: true}, {status: 200, body: line + line}, {status: 200}}}
		c := scripted(t, s)
		for _, want := range []int{2, 0} {
			if labels, err := c.ExportLabels(t.Context(), "savings"); err != nil || len(labels) != want || labels == nil {
				t.Errorf("%+v, %v, want %d labels", labels, err, want)
			}
		}
	})
}
