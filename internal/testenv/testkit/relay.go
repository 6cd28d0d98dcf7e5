package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// Relay stands between specterd and a node's RPC. It hands on what is said there,
// until a test meddles with it.
type Relay struct {
	t      testing.TB
	node   *Node
	port   int
	meddle atomic.Pointer[func(*Exchange)]

	mu     sync.Mutex
	server *http.Server
}

// Exchange is a request to the node, of one call or of a batch, and what is answered.
// Methods are those that are called, without those of calls that only find out
// whether the method is allowed.
type Exchange struct {
	http.ResponseWriter
	*http.Request
	Methods []string
	body    []byte
	relay   *Relay
}

// NewRelay starts one on a port of its own.
func NewRelay(t testing.TB, n *Node) *Relay {
	t.Helper()
	r := &Relay{t: t, node: n}
	r.Open()
	t.Cleanup(r.Close)
	return r
}

// Port is where the node seems to be.
func (r *Relay) Port() int { return r.port }

// URL is where the node seems to be.
func (r *Relay) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", r.port) }

// Meddle has requests answered by a function, which may hand them on itself; by the
// node where it is nil. Requests that are under way are not called back.
func (r *Relay) Meddle(answer func(*Exchange)) {
	if answer == nil {
		answer = (*Exchange).HandOn
	}
	r.meddle.Store(&answer)
}

// Open has connections taken again after Close, on the same port.
func (r *Relay) Open() {
	r.t.Helper()
	r.Meddle(nil)
	listener, err := new(net.ListenConfig).Listen(r.t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	check(r.t, err)
	r.port = listener.Addr().(*net.TCPAddr).Port
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve)}
	go func(s *http.Server) { _ = s.Serve(listener) }(r.server)
}

// Close breaks all connections off and refuses others.
func (r *Relay) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.server.Close()
}

func (r *Relay) serve(w http.ResponseWriter, req *http.Request) {
	x := &Exchange{ResponseWriter: w, Request: req, relay: r}
	var err error
	if x.body, err = io.ReadAll(req.Body); err != nil {
		return
	}
	type call struct {
		Method string
		Params json.RawMessage
	}
	var calls []call
	if json.Unmarshal(x.body, &calls) != nil {
		calls = make([]call, 1)
		_ = json.Unmarshal(x.body, &calls[0])
	}
	for _, c := range calls {
		if !bytes.HasPrefix(c.Params, []byte("{")) {
			x.Methods = append(x.Methods, c.Method)
		}
	}
	(*r.meddle.Load())(x)
}

// Calls reports whether one of the calls is of one of these methods; any is, where
// there are none.
func (x *Exchange) Calls(methods ...string) bool {
	return len(methods) == 0 || slices.ContainsFunc(x.Methods, func(m string) bool { return slices.Contains(methods, m) })
}

// HandOn has the node answer.
func (x *Exchange) HandOn() { x.Answer(x.Ask()) }

// Ask has the node answer, and returns that.
func (x *Exchange) Ask() (status int, body []byte) {
	url := fmt.Sprintf("http://%s:%d%s", x.relay.node.Host(), x.relay.node.Port(), x.URL.EscapedPath())
	req, err := http.NewRequestWithContext(x.Context(), http.MethodPost, url, bytes.NewReader(x.body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	req.Header = x.Request.Header.Clone()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	return resp.StatusCode, body
}

// ID is the id of the call, which must be one, as JSON.
func (x *Exchange) ID() string {
	var call struct {
		ID json.RawMessage `json:"id"`
	}
	check(x.relay.t, json.Unmarshal(x.body, &call))
	return string(call.ID)
}

// Answer answers with a body as Core does.
func (x *Exchange) Answer(status int, body []byte) {
	x.ResponseWriter.Header().Set("Content-Type", "application/json")
	x.WriteHeader(status)
	_, _ = x.ResponseWriter.Write(body)
}

// Refuse answers each call with an RPC error.
func (x *Exchange) Refuse(status, code int, message string) {
	type refusal struct {
		Result *int           `json:"result"`
		Error  map[string]any `json:"error"`
		ID     json.Number    `json:"id"`
	}
	fault := map[string]any{"code": code, "message": message}
	var answers []refusal
	batch := json.Unmarshal(x.body, &answers) == nil
	if !batch {
		answers = make([]refusal, 1)
		_ = json.Unmarshal(x.body, &answers[0])
	}
	for i := range answers {
		answers[i].Error = fault
	}
	var body []byte
	if batch {
		body, _ = json.Marshal(answers)
	} else {
		body, _ = json.Marshal(answers[0])
	}
	x.Answer(status, body)
}
