package httpcall

import (
	"bytes"
	"compress/gzip"
	"mime"
	"net/http"
	"strings"
)

// Content is a page, a script or a style sheet.
type Content struct {
	Type  string // media type
	Plain []byte
	gzip  []byte // nil if the content is never compressed
}

// TypeOf returns the media type of files whose names end in extension, such as .js.
func TypeOf(extension string) string {
	if extension == ".js" {
		return "text/javascript; charset=utf-8"
	}
	return mime.TypeByExtension(extension)
}

// Compressed returns content that is sent compressed to clients that accept gzip.
func Compressed(contentType string, data []byte) Content {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close() // a buffer has no errors
	return Content{contentType, data, b.Bytes()}
}

// Choose returns the bytes of the response to a request, and sets the headers that describe them.
func (c Content) Choose(h http.Header, r *http.Request) []byte {
	h.Set("Content-Type", c.Type)
	h.Set("Vary", "Accept-Encoding")
	if c.gzip == nil || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		return c.Plain
	}
	h.Set("Content-Encoding", "gzip")
	return c.gzip
}
