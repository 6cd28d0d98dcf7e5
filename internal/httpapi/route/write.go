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
	return encode(v, func(body []byte) { writeBody(w, status, contentType, body) })
}

// encode hands out the JSON of v, which must not be kept.
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
	_, _ = w.Write(body) // the client is gone; nobody is left to tell
}

// privateNoCache lets a client keep an answer, if it asks each time whether that
// is still the same.
var privateNoCache = []string{"private, no-cache"}

// writeTagged writes v with an ETag of its text, or 304 where the client has it.
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

// writeVersioned writes v with its own ETag, or, where it may, 304 where the client
// has that version.
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

// hasTag reports whether the values of an If-None-Match let etag be: RFC 9110,
// section 13.1.2, where weak and strong tags are compared alike.
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
