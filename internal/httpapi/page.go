package httpapi

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/swaggest/openapi-go/openapi31"

	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
)

//go:embed page/style.css
var style []byte

//go:embed page/page.html
var pageSource string

// page is the API reference. It contains no scripts, and loads only its style sheet.
type page struct {
	template *template.Template
	About    string
	Version  string
	Tags     []pageTag
	Errors   []pageAnswer
	Objects  []pageObject
}

type pageTag struct {
	Name, Description string
	Operations        []pageOperation
}

type pageOperation struct {
	ID, Method, Path, Summary string
	Access                    string
	Parameters, Body          []pageField
	BodyText                  *route.Text // instead of Body
	Success                   pageAnswer
	Others                    []pageAnswer // statuses that are neither Success nor errors
	Errors                    []pageAnswer
	curl                      curl
}

type pageAnswer struct {
	Status             int
	Title, Description string
	Type               typeText
}

// pageObject is a schema in the API reference.
type pageObject struct {
	Name   string
	Type   *typeText // set for a schema without fields, otherwise nil
	Fields []pageField
}

func newPage(s *schemas, routes []route.Route) (*page, error) {
	p := &page{About: about, Version: s.Spec.Info.Version}
	var err error
	if p.template, err = template.New("page").Parse(pageSource); err != nil {
		return nil, fmt.Errorf("parse the page's template: %w", err)
	}
	for _, t := range tags {
		p.Tags = append(p.Tags, pageTag{Name: t.name, Description: t.description})
	}
	for _, status := range slices.Sorted(maps.Keys(errorDescriptions)) {
		p.Errors = append(p.Errors, pageAnswer{Status: status, Title: http.StatusText(status), Description: errorDescriptions[status]})
	}
	requests := map[string]bool{}
	for _, to := range routes {
		op, err := s.operation(to)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(tags, func(t tag) bool { return t.name == op.Tags[0] })
		if i < 0 {
			return nil, fmt.Errorf("show %s %s: the path has no tag", to.Method, to.Path)
		}
		p.Tags[i].Operations = append(p.Tags[i].Operations, s.pageOperation(op, to))
		if op.RequestBody != nil && (to.Handler.Text == nil || to.Handler.Text.OrJSON) {
			requests[schemaName(to.Handler.In)] = true // shown with the operation, and not as an object of its own
		}
	}
	p.Objects = s.pageObjects(requests)
	return p, nil
}

func (s *schemas) pageOperation(op *openapi31.Operation, to route.Route) pageOperation {
	out := pageOperation{
		ID: *op.ID, Method: to.Method, Path: to.Path, Summary: to.Summary, Access: access(to), curl: newCurl(to),
	}
	for _, p := range op.Parameters {
		field := newPageField(p.Parameter.Name, p.Parameter.Schema)
		field.In = string(p.Parameter.In)
		if p.Parameter.Required != nil && *p.Parameter.Required {
			field.Note = "required"
		}
		if p.Parameter.Description != nil {
			field.Description = *p.Parameter.Description
		}
		out.Parameters = append(out.Parameters, field)
		if field.In == "path" {
			out.curl.path(field)
		}
	}
	if text := to.Handler.Text; text != nil && !text.OrJSON {
		out.BodyText = text
		out.curl.text(text.Types[0])
	} else if op.RequestBody != nil {
		out.Body = s.fields(schemaName(to.Handler.In), "required", "")
		out.curl.body(out.Body)
	} else if to.Method == http.MethodPost {
		out.curl.options = append(out.curl.options, "-X POST")
	}
	for code, response := range op.Responses.MapOfResponseOrReferenceValues {
		status, _ := strconv.Atoi(code) // always a number, from errorStatuses or the handler
		answer := pageAnswer{Status: status, Title: http.StatusText(status)}
		switch {
		case status == to.Handler.Status:
			answer.Type = typeOfContent(response.Response)
			out.Success = answer
		case response.Response != nil:
			out.Others = append(out.Others, answer)
		default:
			out.Errors = append(out.Errors, answer)
		}
	}
	for _, answers := range [][]pageAnswer{out.Others, out.Errors} {
		slices.SortFunc(answers, func(a, b pageAnswer) int { return a.Status - b.Status })
	}
	return out
}

// Curl returns a shell command that sends the request to the server at base, a URL.
func (o pageOperation) Curl(base string) string { return o.curl.line(base) }

// Slug returns the id of the operation's HTML element.
func (o pageOperation) Slug() string { return "op-" + o.ID }

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	httpcall.Of(r.Context()).Route = pagePath
	var b bytes.Buffer
	err := p.template.Execute(&b, struct {
		*page
		Base string
	}{p, baseURL(r)})
	if err != nil {
		panic(fmt.Sprintf("the page's template: %v", err)) // a mistake in the template, which the tests would find
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Content-Security-Policy", referencePolicy)
	_, _ = w.Write(b.Bytes()) // fails only if the client disconnected
}
