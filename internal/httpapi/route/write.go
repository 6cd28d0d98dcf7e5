package route

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
)

// Values of Content-Type. All responses share them; they must not be modified.
var (
	JSONType    = []string{"application/json"}
	ProblemType = []string{"application/problem+json"}
)

// maxUnmeasured is the largest body, in bytes, for which net/http sets Content-Length
// automatically.
const maxUnmeasured = 2048

// inOrder is the option that sorts map keys, so that equal values have identical JSON and
// therefore the same ETag.
var inOrder = json.Deterministic(true)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Write writes v as JSON with a final newline, or no body if the status is 204. It encodes v
// before writing, so that an error response is possible if v cannot be encoded.
func Write(w http.ResponseWriter, status int, contentType []string, v any) error {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return nil
	}
	return encode(v, func(body []byte) { writeBody(w, status, contentType, body) })
}

// encode calls use with the JSON encoding of v. use must not keep the slice, which is reused.
func encode(v any, use func(body []byte)) error {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()
	if err := json.MarshalWrite(body, v, inOrder); err != nil {
		return fmt.Errorf("encode the response: %w", err)
	}
	body.WriteByte('\n')
	use(body.Bytes())
	return nil
}

func writeBody(w http.ResponseWriter, status int, contentType []string, body []byte) {
	h := w.Header()
	h["Content-Type"] = contentType
	if len(body) > maxUnmeasured {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // fails only if the client disconnected
}

// privateNoCache allows a client to store a response if it revalidates it before each
// use.
var privateNoCache = []string{"private, no-cache"}

// writeTagged responds with 200, v and an ETag that is a hash of the body, or with 304 if
// the client sent that ETag.
func writeTagged(w http.ResponseWriter, r *http.Request, v any) error {
	return encode(v, func(body []byte) {
		sum := sha256.Sum256(body)
		etag := `"` + hex.EncodeToString(sum[:16]) + `"`
		h := w.Header()
		h["Etag"] = []string{etag}
		h["Cache-Control"] = privateNoCache
		h.Add("Vary", "Authorization")
		if hasTag(r.Header["If-None-Match"], etag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		writeBody(w, http.StatusOK, JSONType, body)
	})
}

// writeVersioned writes v with the ETag that v returns, if any. If mayHave is true, clients
// may store the response, and get 304 if they send the current ETag.
func writeVersioned(w http.ResponseWriter, r *http.Request, status int, v Versioned, mayHave bool) error {
	h := w.Header()
	etag := v.ETag()
	if etag != "" {
		h["Etag"] = []string{etag}
	}
	if mayHave {
		h["Cache-Control"] = privateNoCache
		h.Add("Vary", "Authorization")
		if hasTag(r.Header["If-None-Match"], etag) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return Write(w, status, JSONType, v)
}

// hasTag reports whether the values of the header If-None-Match contain etag or *. It uses
// the weak comparison (RFC 9110, section 13.1.2).
func hasTag(values []string, etag string) bool {
	for _, list := range values {
		for tag := range strings.SplitSeq(list, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}
