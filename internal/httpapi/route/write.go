package route

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
)

// Values of Content-Type. They are shared by all responses and never changed.
var (
	JSONType    = []string{"application/json"}
	ProblemType = []string{"application/problem+json"}
)

// maxUnmeasured is up to where net/http works out Content-Length by itself.
const maxUnmeasured = 2048

// inOrder has the members of maps sorted, so that the same answer is the same text.
var inOrder = json.Deterministic(true)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write writes v as the response's JSON, with a newline at the end. It marshals
// first, so that a value that cannot be encoded still becomes an error response.
func Write(w http.ResponseWriter, status int, contentType []string, v any) error {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if err := json.MarshalWrite(body, v, inOrder); err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	body.WriteByte('\n')
	h := w.Header()
	h["Content-Type"] = contentType
	if body.Len() > maxUnmeasured {
		h.Set("Content-Length", strconv.Itoa(body.Len()))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client is gone; nobody is left to tell
	return nil
}
