package reference

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/httpcall"
)

//go:embed assets
var assetFiles embed.FS

// basePlaceholder stands for the address of the server in a page. It has the form of a URL, so
// that the templates do not change it.
const basePlaceholder = "https://base.invalid"

// Site serves the pages of the reference. It is safe for concurrent use.
type Site struct {
	files map[string]file // by path
}

// file is a page, a script or a style sheet.
type file struct {
	httpcall.Content

	hasBase bool // whether the page contains basePlaceholder
}

func (s *Site) add(path, contentType string, content []byte) {
	if bytes.Contains(content, []byte(basePlaceholder)) {
		s.files[path] = file{httpcall.Content{Type: contentType, Plain: content}, true}
		return
	}
	s.files[path] = file{httpcall.Compressed(contentType, content), false}
}

// Serve responds to GET and HEAD of the file at path. base is the address of the server, as the
// client knows it. Serve returns false, without a response, if no file has the path.
func (s *Site) Serve(w http.ResponseWriter, r *http.Request, path, base string) bool {
	f, ok := s.files[path]
	if !ok {
		return false
	}
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Security-Policy", Policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	content := f.Choose(h, r)
	if f.hasBase {
		content = bytes.ReplaceAll(content, []byte(basePlaceholder), []byte(template.HTMLEscapeString(base)))
	}
	sum := sha256.Sum256(content)
	h.Set("Etag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	return true
}

// page is the data of one page.
type page struct {
	*site

	template string // name of the file
	Path     string
	Title    string
	Noun     *noun // nil except for the page of a noun
}

// On reports whether the page has the path.
func (p page) On(path string) bool { return p.Path == path }

// Base returns the address of the server.
func (page) Base() template.URL { return basePlaceholder }

// Having returns the operations with a parameter.
func (s *site) Having(parameter string) []shownOperation {
	var found []shownOperation
	for _, n := range s.Nouns {
		for _, op := range n.Operations {
			if slices.ContainsFunc(op.Parameters, func(f field) bool { return f.Name == parameter }) {
				found = append(found, op)
			}
		}
	}
	return found
}

// render generates all files.
func (s *site) render() (*Site, error) {
	out := &Site{files: map[string]file{}}
	pages := []page{
		{s, "home", HomePath, "API reference", nil},
		{s, "guide", Prefix + "guide", "Guide", nil},
		{s, "scopes", scopesPath, "Scopes and roles", nil},
		{s, "errors", Prefix + "errors", "Errors", nil},
		{s, "objects", objectsPath, "Shared objects", nil},
	}
	for i := range s.Nouns {
		n := &s.Nouns[i]
		pages = append(pages, page{s, "noun", n.Path(), n.Title, n})
	}
	shared, err := template.ParseFS(templateFiles, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the templates: %w", err)
	}
	for _, p := range pages {
		t, err := template.Must(shared.Clone()).ParseFS(templateFiles, "templates/"+p.template+".html")
		if err != nil {
			return nil, fmt.Errorf("parse the template of %s: %w", p.Path, err)
		}
		text, err := execute(t, p)
		if err != nil {
			return nil, err
		}
		out.add(p.Path, "text/html; charset=utf-8", text)
	}
	return out, s.addAssets(out)
}

func (s *site) addAssets(out *Site) error {
	index, err := s.searchIndex()
	if err != nil {
		return err
	}
	out.add(Prefix+"search.json", jsonType, index)
	files, err := assetFiles.ReadDir("assets")
	if err != nil {
		return fmt.Errorf("read the scripts: %w", err)
	}
	for _, f := range files {
		content, err := assetFiles.ReadFile("assets/" + f.Name())
		if err != nil {
			return fmt.Errorf("read the scripts: %w", err)
		}
		at := Prefix + f.Name()
		if f.Name() == path.Base(StylePath) {
			at = StylePath
		}
		out.add(at, httpcall.TypeOf(path.Ext(f.Name())), content)
	}
	return nil
}
