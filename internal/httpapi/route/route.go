// Package route defines the entries of the route table, which both API versions
// and the server use, and handlers that are plain functions from a request type
// to a response type. The types are inspected once, at startup, for decoding and
// for the OpenAPI specification.
//
// It does not define paths or error formats, and does not verify credentials.
package route

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/auth"
)

// Credentials are the kinds of credentials that a route accepts.
type Credentials uint8

// The kinds of credentials.
const (
	Public        Credentials = iota // no credentials required
	Basic                            // user name and password, RFC 7617
	Bearer                           // a token, RFC 6750
	BasicOrBearer                    // a password, or a token with the route's scope
	AnyToken                         // a password, or any token whatever its scopes
	OwnToken                         // a token, whatever its scopes
	Password                         // a password; a valid token gets an error that says so
)

// TakesBasic reports whether a password is accepted.
func (c Credentials) TakesBasic() bool {
	return c == Basic || c == BasicOrBearer || c == AnyToken || c == Password
}

// TakesBearer reports whether a token is accepted.
func (c Credentials) TakesBearer() bool { return c != Public && c != Basic && c != Password }

// NeedsScope reports whether a token must have the route's scope.
func (c Credentials) NeedsScope() bool { return c == Bearer || c == BasicOrBearer }

// Role is the role that a caller must have: on the server, or in the wallet that
// the route's {alias} names.
type Role string

// The roles.
const (
	AnyRole  Role = ""
	Admin    Role = "admin"
	Viewer        = Role(auth.RoleViewer)
	Proposer      = Role(auth.RoleProposer)
	Signer        = Role(auth.RoleSigner)
	Owner         = Role(auth.RoleOwner)
)

// OfWallet reports whether r is a role in a wallet.
func (r Role) OfWallet() bool { return r != AnyRole && r != Admin }

// Route is an entry of the route table, from which the server, the OpenAPI
// specification and the tests of permissions are generated.
type Route struct {
	Method      string
	Path        string // without a trailing slash; the path with one is also served
	Credentials Credentials
	Scope       auth.Scopes // 0 if the route accepts no tokens, or tokens with any scopes
	Role        Role
	Handler     Handler
	Summary     string
}

// Handler serves the requests of a route after they were authorized.
type Handler struct {
	// In and Out are the types of the request and of the success response, or struct{} if
	// it has no content.
	In, Out reflect.Type
	Status  int // on success
	// OtherStatus is a second status on success, or 0 if there is none. One of Status and
	// OtherStatus is then 201, for responses after a creation, and the other is 200.
	OtherStatus int
	Name        string // name of the function, such as ListTokens
	// PathParameters are the names of the parameters in the path.
	PathParameters []string
	// Media are the types of a body that is streamed, instead of Out.
	Media []Media
	// MaxBody is the maximum size of the body, in bytes.
	MaxBody int64
	// NeedsBody reports whether a field of the body is required.
	NeedsBody bool
	// Text describes a body that is not a JSON object; nil if the handler accepts none.
	Text *Text
	// HasETag reports whether responses carry an ETag, so that a client can ask for a
	// response only if it changed.
	HasETag bool
	// RequiresNode reports whether the handler waits for the node.
	RequiresNode bool
	// IsHeavy reports whether the server limits the number of such requests that run
	// at the same time. Streamed responses are always limited.
	IsHeavy bool
	// StaysOpen reports whether a response may wait for a long time. Such requests must not have
	// a body, for which the server would keep room during that time.
	StaysOpen bool
	// TakesIdempotencyKey reports whether a request with an Idempotency-Key is executed only once.
	TakesIdempotencyKey bool
	// ShownScope is the scope that a token needs to see the response to a change; 0 if
	// every token sees it. Tokens without the scope get 204 and no body.
	ShownScope auth.Scopes
	serve      func(ctx context.Context, w http.ResponseWriter, r *http.Request, o options) error
}

// Recheck authorizes a request again after its body has been read. It returns ctx with
// the current principal.
type Recheck func(ctx context.Context) (context.Context, error)

// options control how a handler serves a request.
type options struct {
	strict  Strictness
	etag    bool
	recheck Recheck
}

// WithETag returns a copy of h that adds an ETag to its responses, and responds with 304 if
// the client sends the current ETag (RFC 9110, section 13.1.2). h must not make changes.
func (h Handler) WithETag() Handler {
	h.HasETag = true
	return h
}

// NeedsNode returns a copy of h that is marked as waiting for the node. Handlers without
// this mark also work while the node is unavailable.
func (h Handler) NeedsNode() Handler {
	h.RequiresNode = true
	return h
}

// Heavy returns a copy of h that is marked as expensive: the server limits the number of
// such requests that run at the same time.
func (h Handler) Heavy() Handler {
	h.IsHeavy = true
	return h
}

// WithOpenEnd returns a copy of h whose response may wait for a long time.
func (h Handler) WithOpenEnd() Handler {
	h.StaysOpen = true
	return h
}

// WithIdempotencyKey returns a copy of h that accepts an Idempotency-Key: the server stores
// the success response and returns it for further requests with the same key.
func (h Handler) WithIdempotencyKey() Handler {
	h.TakesIdempotencyKey = true
	return h
}

// ShownTo returns a copy of h whose response is shown only to tokens with the given scope,
// which is the scope for reading the same data. Other tokens can make the change, but get
// no body. h must make a change. A response that shows only the created object needs no
// such scope.
func (h Handler) ShownTo(scope auth.Scopes) Handler {
	h.ShownScope = scope
	return h
}

// Serve responds to r. ctx must carry the caller's principal. If Serve returns an error
// other than a BrokenError, it has not started the response. It calls recheck, which may
// be nil, after reading the request and before calling the handler's function.
func (h Handler) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, strict Strictness, recheck Recheck) error {
	return h.serve(ctx, w, r, options{strict, h.HasETag, recheck})
}

// Text describes a body that a handler receives undecoded, in a []byte field with the tag
// body.
type Text struct {
	Types       []string // accepted media types
	FormField   string   // the field of a form that contains the body, if forms are accepted
	Description string
	OrJSON      bool  // whether a JSON object is also accepted
	field       []int // index of the []byte field, for reflect.Value.FieldByIndex
}

// jsonMedia is the media type of a JSON object.
const jsonMedia = "application/json"

// types returns all accepted media types.
func (t *Text) types() []string {
	if t.OrJSON {
		return append([]string{jsonMedia}, t.Types...)
	}
	return t.Types
}

// Check returns an error for a mistake in the route table: path parameters that differ from
// those of the handler, {alias} without a role in the wallet, or such a role without
// {alias}. Both are required together, because the role check also resolves the alias.
func (r Route) Check() error {
	var names []string
	for part := range strings.SplitSeq(r.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	if known := slices.Sorted(slices.Values(r.Handler.PathParameters)); !slices.Equal(slices.Sorted(slices.Values(names)), known) {
		return fmt.Errorf("%s %s: the handler %s takes the parameters %q", r.Method, r.Path, r.Handler.Name, known)
	}
	if slices.Contains(names, "alias") != r.Role.OfWallet() {
		return fmt.Errorf("%s %s: {alias} requires a role in the wallet, and such a role requires {alias}; it has the role %q", r.Method, r.Path, r.Role)
	}
	return nil
}

// None is the type of a request without parameters and body, and of a response without a
// body.
type None = struct{}

// JSON returns a handler that calls f and responds with its result as JSON. The tags path,
// query and header of a field of In name the parameter that fills it, and a field with the
// tag body receives an undecoded body; all other fields are filled from a JSON body. JSON
// panics if a parameter's field has an unsupported type, which is a programming error.
func JSON[In, Out any](status int, f func(ctx context.Context, in In) (Out, error)) Handler {
	h := handler(func(ctx context.Context, in In) (Out, int, error) {
		out, err := f(ctx, in)
		return out, status, err
	})
	h.Name, h.Status = nameOf(f), status
	return h
}

// handler returns a handler for a function that also returns the status of the response.
// The caller sets the name and the status of the handler.
func handler[In, Out any](f func(ctx context.Context, in In) (out Out, status int, err error)) Handler {
	plan := planFor(reflect.TypeFor[In]())
	_, isVersioned := any(*new(Out)).(Versioned)
	return Handler{
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](), MaxBody: plan.maxBody, NeedsBody: plan.needsBody, Text: plan.text, PathParameters: plan.pathNames(),
		serve: func(ctx context.Context, w http.ResponseWriter, r *http.Request, o options) error {
			var in In
			ctx, err := plan.receive(ctx, w, r, &in, o)
			if err != nil {
				return err
			}
			out, status, err := f(ctx, in)
			if err != nil {
				return err
			}
			switch {
			case isVersioned:
				return writeVersioned(w, r, status, any(out).(Versioned), o.etag)
			case o.etag:
				return writeTagged(w, r, &out)
			}
			return Write(w, status, JSONType, &out) // of a value, interfaces and the encoder make copies
		},
	}
}

// Versioned is a response whose ETag is the version of the object that it shows.
type Versioned interface {
	// ETag returns the tag with its quotation marks, or "" if the object has no version.
	ETag() string
}

// OK returns a handler that responds with 200.
func OK[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusOK, f)
}

// Created returns a handler that responds with 201.
func Created[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusCreated, f)
}

// CreatedOrOK returns a handler that responds with 201 if f created an object, and with 200
// if the object already existed.
func CreatedOrOK[In, Out any](f func(ctx context.Context, in In) (out Out, created bool, err error)) Handler {
	h := handler(func(ctx context.Context, in In) (Out, int, error) {
		out, created, err := f(ctx, in)
		if created {
			return out, http.StatusCreated, err
		}
		return out, http.StatusOK, err
	})
	h.Name, h.Status, h.OtherStatus = nameOf(f), http.StatusOK, http.StatusCreated
	return h
}

// CreatedOrDryRun returns a handler that responds with 201 if f created something, and
// with 200 after a dry run.
func CreatedOrDryRun[In, Out any](f func(ctx context.Context, in In) (out Out, created bool, err error)) Handler {
	h := CreatedOrOK(f)
	h.Name, h.Status, h.OtherStatus = nameOf(f), http.StatusCreated, http.StatusOK
	return h
}

// IsDryRun reports whether a response with this status belongs to a dry run, which
// creates nothing.
func (h Handler) IsDryRun(status int) bool {
	return h.Status == http.StatusCreated && h.OtherStatus != 0 && status == h.OtherStatus
}

// NoContent returns a handler that responds with 204 and no body.
func NoContent[In any](f func(ctx context.Context, in In) error) Handler {
	h := JSON(http.StatusNoContent, func(ctx context.Context, in In) (None, error) {
		return None{}, f(ctx, in)
	})
	h.Name = nameOf(f)
	return h
}

// nameOf returns the name of a function or method, without package and type.
func nameOf(f any) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	name = strings.TrimSuffix(name, "-fm") // the suffix of a bound method
	return name[strings.LastIndexByte(name, '.')+1:]
}
