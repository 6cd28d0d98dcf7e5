package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"
)

//go:embed assets
var assetFiles embed.FS

// assets are the style sheet and the scripts. The URL of each contains a hash of its content,
// so that browsers may keep it.
type assets struct {
	byName  map[string]string // URL by file name
	content map[string]asset  // by the last element of the URL
}

type asset struct {
	contentType string
	plain, gzip []byte
}

func newAssets() *assets {
	a := &assets{byName: map[string]string{}, content: map[string]asset{}}
	files, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic(err) // embedded
	}
	for _, f := range files {
		data, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(err)
		}
		data = a.withImports(data)
		sum := sha256.Sum256(data)
		ext := path.Ext(f.Name())
		name := strings.TrimSuffix(f.Name(), ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.byName[f.Name()] = "/assets/" + name
		a.content[name] = asset{contentType: typeOf(ext), plain: data, gzip: compress(data)}
	}
	return a
}

// withImports returns a script in which the imported scripts have their URLs. They come before it
// in alphabetical order.
func (a *assets) withImports(script []byte) []byte {
	for name, url := range a.byName {
		script = bytes.ReplaceAll(script, []byte(`from "./`+name+`"`), []byte(`from "`+url+`"`))
	}
	return script
}

func typeOf(ext string) string {
	if ext == ".js" {
		return "text/javascript; charset=utf-8"
	}
	return mime.TypeByExtension(ext)
}

func compress(data []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close() // a buffer has no errors
	return b.Bytes()
}

// path returns the URL of a file.
func (a *assets) path(name string) string {
	url, ok := a.byName[name]
	if !ok {
		panic(fmt.Sprintf("no asset %s", name)) // a mistake in a template, which the tests would find
	}
	return url
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	found, ok := a.content[chi.URLParam(r, "file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", found.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	data := found.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		data = found.gzip
	}
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) // fails only if the client disconnected
	}
}
