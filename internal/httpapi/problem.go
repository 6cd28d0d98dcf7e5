package httpapi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpapi/v1alpha"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/wallet"
)

// apiVersion contains the differences between the API versions: how unknown fields are
// treated, the format of errors, and the error for a wallet that the caller cannot access.
type apiVersion struct {
	strict   route.Strictness
	problem  func(requestID string, status int, f *fault.Error) (contentType []string, body any)
	noWallet func(path, alias string) *fault.Error
}

var (
	versionV1    = apiVersion{route.RefuseUnknown, problemDetails, func(string, string) *fault.Error { return wallet.ErrNotFound }}
	versionAlpha = apiVersion{route.TolerateUnknown, messageOnly, v1alpha.NoWallet}
)

func versionOf(path string) apiVersion {
	if apiOf(path) == "v1" {
		return versionV1
	}
	return versionAlpha
}

func problemDetails(requestID string, status int, f *fault.Error) ([]string, any) {
	p := api.Problem{
		Title: http.StatusText(status), Status: status, Code: f.Code, Detail: f.Message, RequestID: requestID,
		Scope: f.Details["required_scope"], Role: f.Details["required_role"],
	}
	for name, value := range f.Details {
		if strings.HasPrefix(name, "required_") || name == "reason" { // these are members of the document, or appear only in v1alpha
			continue
		}
		if p.Details == nil {
			p.Details = map[string]string{}
		}
		p.Details[name] = value
	}
	for _, l := range f.Limits {
		limit := api.ProblemLimit{Layer: l.Layer, Rule: l.Rule, Field: l.Field, Limit: l.Limit, Used: l.Used, Message: l.Message.String()}
		if !l.FreesAt.IsZero() {
			at := l.FreesAt.UTC()
			limit.FreesAt = &at
		}
		p.Limits = append(p.Limits, limit)
	}
	if !f.PermittedAt.IsZero() {
		at := f.PermittedAt.UTC()
		p.PermittedAt = &at
	}
	for _, field := range f.Fields {
		p.Errors = append(p.Errors, api.ProblemField{Field: field.Name, Message: field.Message})
	}
	return route.ProblemType, p
}

// message is the error document of Specter Desktop.
type message struct {
	Message string `json:"message" required:"true"`
	Reason  string `json:"reason,omitempty" description:"Details in addition to the message of Specter Desktop, if any."`
}

// unauthorizedMessage is the message of Specter Desktop for all invalid credentials.
const unauthorizedMessage = "The server could not verify that you are authorized to access the URL requested. " +
	"You either supplied the wrong credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials required."

func messageOnly(_ string, _ int, f *fault.Error) ([]string, any) {
	if f.Kind == fault.Unauthenticated {
		return route.JSONType, message{Message: unauthorizedMessage}
	}
	return route.JSONType, message{Message: f.Message, Reason: f.Details["reason"]}
}

// fail writes err, as httpcall.Shown shows it, in the format of the path's API version.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.report(requestIDOf(r), err)
	f := httpcall.Shown(s.log, r, err)
	if s.isPage(r) {
		s.Console.ServeError(w, r, f)
		return
	}
	status := httpcall.Status(f.Kind)
	h := w.Header()
	httpcall.SetRetryAfter(h, f)
	if errors.Is(f, auth.ErrTooManyFailures) {
		h.Set("RateLimit-Policy", fmt.Sprintf(`"failed-logins";q=%d;w=%.0f`, auth.MaxFailures, (auth.MaxFailures*auth.FailureForgottenAfter).Seconds()))
		h.Set("RateLimit", fmt.Sprintf(`"failed-logins";r=0;t=%d`, httpcall.RetrySeconds(f.RetryAfter)))
	}
	contentType, body := versionOf(r.URL.Path).problem(requestIDOf(r), status, f)
	if err := route.Write(w, status, contentType, body); err != nil {
		s.log.ErrorContext(r.Context(), "error response not written", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}

// notFound responds to requests for unknown paths.
func (s *server) notFound(w http.ResponseWriter, r *http.Request) {
	text := "there is nothing at this path; %s describes what there is"
	if s.Console == nil && !isAPI(r.URL.Path) {
		text += ". The web console is switched off; SPECTER_CONSOLE=on and a restart switch it on"
	}
	s.fail(w, r, fault.New(fault.NotFound, "path_not_found", text, descriptionPath))
}

// asKnownMethod returns the handler for methods that the router does not know. The router
// does not look up the path for these. The handler routes them as TRACE, a method without
// routes, so that the response is 404 for an unknown path, and otherwise 405 with Allow.
func asKnownMethod(mux *chi.Mux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		known := chi.NewRouteContext()
		known.RouteMethod = http.MethodTrace
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), chi.RouteCtxKey, known)))
	}
}

// methodNotAllowed returns the handler for methods that a known path does not have. It
// responds with 405, or with 200 to OPTIONS, and lists the given methods in Allow.
func (s *server) methodNotAllowed(methods map[string]bool) http.HandlerFunc {
	allow := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		s.fail(w, r, fault.New(fault.MethodNotAllowed, "method_not_allowed", "this path takes only %s", allow))
	}
}
