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

// Relay is a proxy between specterd and a node's RPC. It forwards all requests
// unless a test intercepts them.
type Relay struct {
	t      testing.TB
	node   *Node
	port   int
	meddle atomic.Pointer[func(*Exchange)]

	mu     sync.Mutex
	server *http.Server
}

// Exchange is a request to the node, either a single call or a batch, and its
// response. Methods are the called methods, without calls that only check whether a
// method is allowed.
type Exchange struct {
	http.ResponseWriter
	*http.Request
	Methods []string
	body    []byte
	relay   *Relay
}

// NewRelay starts a relay on a free port.
func NewRelay(t testing.TB, n *Node) *Relay {
	t.Helper()
	r := &Relay{t: t, node: n}
	r.Open()
	t.Cleanup(r.Close)
	return r
}

// Port returns the port of the relay.
func (r *Relay) Port() int { return r.port }

// URL returns the URL of the relay.
func (r *Relay) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", r.port) }

// Intercept makes the relay call answer for each request, instead of forwarding the
// request. If answer is nil, the relay forwards requests again. Requests in
// progress are not affected.
func (r *Relay) Intercept(answer func(*Exchange)) {
	if answer == nil {
		answer = (*Exchange).Forward
	}
	r.meddle.Store(&answer)
}

// Open accepts connections again after Close, on the same port.
func (r *Relay) Open() {
	r.t.Helper()
	r.Intercept(nil)
	listener, err := new(net.ListenConfig).Listen(r.t.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", r.port))
	Check(r.t, err)
	r.port = listener.Addr().(*net.TCPAddr).Port
	r.mu.Lock()
	defer r.mu.Unlock()
	r.server = &http.Server{Handler: http.HandlerFunc(r.serve)}
	go func(s *http.Server) { _ = s.Serve(listener) }(r.server)
}

// Close terminates all connections and rejects new ones.
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

// Calls reports whether the request calls one of these methods. Without methods, it
// returns true.
func (x *Exchange) Calls(methods ...string) bool {
	return len(methods) == 0 || slices.ContainsFunc(x.Methods, func(m string) bool { return slices.Contains(methods, m) })
}

// Forward forwards the request to the node, and the response to the client.
func (x *Exchange) Forward() { x.Answer(x.Ask()) }

// Ask forwards the request to the node and returns the response.
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

// ID returns the id of the call as JSON. The request must be a single call.
func (x *Exchange) ID() string {
	var call struct {
		ID json.RawMessage `json:"id"`
	}
	Check(x.relay.t, json.Unmarshal(x.body, &call))
	return string(call.ID)
}

// Answer sends a response with the given body, like Bitcoin Core.
func (x *Exchange) Answer(status int, body []byte) {
	x.ResponseWriter.Header().Set("Content-Type", "application/json")
	x.WriteHeader(status)
	_, _ = x.ResponseWriter.Write(body)
}

// Refuse responds to each call with an RPC error.
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
