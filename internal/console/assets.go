package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/specterd/specterd/internal/httpcall"
)

//go:embed assets
var assetFiles embed.FS

// assets are the style sheet and the scripts. The URL of each contains a hash of its content,
// so that browsers may keep it.
type assets struct {
	byName  map[string]string           // URL by file name
	content map[string]httpcall.Content // by the last element of the URL
}

func newAssets() *assets {
	a := &assets{byName: map[string]string{}, content: map[string]httpcall.Content{}}
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
		a.content[name] = httpcall.Compressed(httpcall.TypeOf(ext), data)
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
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	data := found.Choose(h, r)
	h.Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(data) //nolint:gosec // an embedded file; fails only if the client disconnected
	}
}
