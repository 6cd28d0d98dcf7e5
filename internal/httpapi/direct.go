package httpapi

import (
	"io"
	"net/http"
	"sync"

	"github.com/specterd/specterd/internal/auth"
)

// Direct is a transport (http.RoundTripper) for a client of the API in the process of a command,
// without a network, a server and credentials: all requests are those of one caller. It serves
// them with the routes and handlers of the server.
type Direct struct {
	handler http.Handler

	mu     sync.Mutex
	errors map[string]error // by the id of the request
}

// NewDirect returns a transport for a caller. It ignores the options for connections, such as
// Active, Loopback and Login. It returns an error only for a mistake in the route table.
func NewDirect(o Options, caller *auth.Principal) (*Direct, error) {
	o.Active, o.Loopback, o.Console, o.TrustedProxies = true, false, nil, nil
	d := &Direct{errors: map[string]error{}}
	var err error
	d.handler, err = newServer(o, Routes(o), func(s *server) { s.caller, s.failed = caller, d.fail })
	return d, err
}

func (d *Direct) fail(requestID string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errors[requestID] = err
}

// Cause returns the error of the request with this id, with the causes that a response omits; nil
// if the request succeeded, or was not sent through d.
func (d *Direct) Cause(requestID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.errors[requestID]
}

// RoundTrip implements http.RoundTripper. Closing the body of the response waits until the request
// has been served, so that its changes are complete.
func (d *Direct) RoundTrip(r *http.Request) (*http.Response, error) {
	incoming := r.Clone(r.Context())
	if incoming.Body == nil {
		incoming.Body = http.NoBody
	}
	incoming.Host, incoming.RequestURI = r.URL.Host, r.URL.RequestURI()
	reader, writer := io.Pipe()
	w := &pipedResponse{header: http.Header{}, begun: make(chan struct{}), body: writer}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer func() {
			switch p := recover(); p {
			case nil:
				w.begin(http.StatusOK)
				_ = writer.Close()
			case http.ErrAbortHandler:
				w.begin(http.StatusInternalServerError)
				_ = writer.CloseWithError(io.ErrUnexpectedEOF)
			default:
				panic(p) // a defect ends the command, as everywhere outside of a server
			}
		}()
		d.handler.ServeHTTP(w, incoming)
	}()
	<-w.begun // also if the context ends: the request may have changed something
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &pipedBody{reader, served}, ContentLength: -1, Request: r,
	}, nil
}

// pipedResponse is the response writer of a Direct.
type pipedResponse struct {
	header, sent http.Header
	status       int
	begun        chan struct{} // closed when sent and status are set
	body         *io.PipeWriter
}

// Header implements http.ResponseWriter.
func (w *pipedResponse) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *pipedResponse) WriteHeader(status int) { w.begin(status) }

// begin sets the status and the header, unless they were set before.
func (w *pipedResponse) begin(status int) {
	if w.status != 0 {
		return
	}
	w.status, w.sent = status, w.header.Clone()
	close(w.begun)
}

// Write implements http.ResponseWriter.
func (w *pipedResponse) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.body.Write(b)
}

// pipedBody is the body of a response of a Direct.
type pipedBody struct {
	*io.PipeReader

	served <-chan struct{}
}

// Close implements io.Closer.
func (b *pipedBody) Close() error {
	err := b.PipeReader.Close()
	<-b.served
	return err
}

// isDirect reports whether the server serves the requests of one caller in the process of a
// command.
func (s *server) isDirect() bool { return s.caller != nil }

// report tells a Direct the error of a request.
func (s *server) report(requestID string, err error) {
	if s.failed != nil {
		s.failed(requestID, err)
	}
}
