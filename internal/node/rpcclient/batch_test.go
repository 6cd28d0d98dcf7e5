package rpcclient_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/node/rpcclient"
)

// batching returns the URL of a node that responds to a batch with the output of
// answers for the batch's IDs, and the number of requests that it received.
func batching(t *testing.T, answers func(id []json.Number) []string) (string, *atomic.Int32) {
	t.Helper()
	var seen atomic.Int32
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		var calls []call
		if err := json.NewDecoder(r.Body).Decode(&calls); err != nil {
			t.Error(err)
		}
		ids := make([]json.Number, len(calls))
		for i, c := range calls {
			ids[i] = c.ID
		}
		_, _ = io.WriteString(w, "["+strings.Join(answers(ids), ",")+"]\n")
	}), &seen
}

func result(id json.Number, value string) string {
	return fmt.Sprintf(`{"result":%s,"error":null,"id":%s}`, value, id)
}

func refusal(id json.Number, code int) string {
	return fmt.Sprintf(`{"result":null,"error":{"code":%d,"message":"no"},"id":%s}`, code, id)
}

func TestBatch(t *testing.T) {
	url, seen := batching(t, func(id []json.Number) []string {
		answers := []string{result(id[0], `7`), refusal(id[1], -18), refusal(id[2], -28), result(id[3], `"text"`), result(id[4], `[1, 2.50]`), result(id[5], `{}`)}
		slices.Reverse(answers)
		return answers
	})
	var first, fourth int64
	var raw json.RawMessage
	reqs := []rpcclient.Request{
		{Method: "a", Out: &first, Err: errors.New("from before")},
		{Method: "b", Out: &raw},
		{Method: "c"},
		{Method: "d", Out: &fourth},
		{Method: "e", Out: &raw},
		{Method: "f"},
	}
	if err := client(t, rpcclient.Config{URL: url}).Batch(t.Context(), reqs); err != nil {
		t.Fatal(err)
	}
	if first != 7 || string(raw) != `[1, 2.50]` || reqs[0].Err != nil || reqs[4].Err != nil || reqs[5].Err != nil {
		t.Errorf("got %d, %s, %+v", first, raw, reqs)
	}
	if e, ok := errors.AsType[*rpcclient.RPCError](reqs[1].Err); !ok || e.Code != rpcclient.CodeWalletNotFound || e.Method != "b" {
		t.Errorf("got %v", reqs[1].Err)
	}
	wantFault(t, reqs[2].Err, rpcclient.ErrUnavailable)
	wantFault(t, reqs[3].Err, rpcclient.ErrInvalidResponse)
	if seen.Load() != 1 {
		t.Errorf("%d HTTP requests", seen.Load())
	}
}

func TestBatch_Empty(t *testing.T) {
	if err := client(t, rpcclient.Config{URL: "http://127.0.0.1:1"}).Batch(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestBatch_BadResponses(t *testing.T) {
	for name, answers := range map[string]func(id []json.Number) []string{
		"none":       func([]json.Number) []string { return nil },
		"one misses": func(id []json.Number) []string { return []string{result(id[0], "1")} },
		"twice":      func(id []json.Number) []string { return []string{result(id[0], "1"), result(id[0], "1")} },
		"one more": func(id []json.Number) []string {
			return []string{result(id[0], "1"), result(id[1], "1"), result("9", "1")}
		},
		"no id":   func(id []json.Number) []string { return []string{result(id[0], "1"), `{"result":1}`} },
		"null":    func(id []json.Number) []string { return []string{result(id[0], "1"), `null`} },
		"garbage": func(id []json.Number) []string { return []string{result(id[0], "1"), `{"result":}`} },
		"closed":  func(id []json.Number) []string { return []string{result(id[0], "1"), result(id[1], "1") + `]`} },
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := batching(t, answers)
			err := client(t, rpcclient.Config{URL: url}).Batch(t.Context(), []rpcclient.Request{{Method: "a"}, {Method: "b"}})
			wantFault(t, err, rpcclient.ErrInvalidResponse)
		})
	}
	url, _ := answering(t, 200, `{"result":null,"error":{"code":-32700,"message":"Parse error"},"id":null}`)
	err := client(t, rpcclient.Config{URL: url}).Batch(t.Context(), []rpcclient.Request{{Method: "a"}})
	wantFault(t, err, rpcclient.ErrInvalidResponse)
}

// sum adds up the elements of a long list without storing the list.
type sum struct{ n, total int }

func (s *sum) ReadResult(dec *jsontext.Decoder) error {
	open, err := dec.ReadToken()
	if open.Kind() == 'n' || err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var v int
		if err := jsonv2.UnmarshalDecode(dec, &v); err != nil {
			return err
		}
		s.n++
		s.total += v
	}
	_, err = dec.ReadToken()
	return err
}

func TestResultReader(t *testing.T) {
	long := strings.TrimSuffix(strings.Repeat("2,", 100_000), ",")
	url, _ := answering(t, 200, `{"result":[`+long+`],"error":null,"id":$id}`)
	var s sum
	if err := client(t, rpcclient.Config{URL: url}).Call(t.Context(), "x", nil, &s); err != nil || s != (sum{100_000, 200_000}) {
		t.Errorf("got %+v, %v", s, err)
	}
	url, _ = answering(t, 500, `{"result":null,"error":{"code":-8,"message":"no"},"id":$id}`)
	if _, ok := errors.AsType[*rpcclient.RPCError](client(t, rpcclient.Config{URL: url}).Call(t.Context(), "x", nil, &s)); !ok {
		t.Error("no RPC error")
	}
}
