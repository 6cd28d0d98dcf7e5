// Package route is what the two API surfaces and the server share: the line of
// the route table, and handlers that are plain functions from a request type to
// a response type. The types are read once, at start-up, for decoding and for
// the API's description.
//
// The package knows no path, no error format and no credential.
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

// Credentials says how the caller of a route proves who they are.
type Credentials uint8

// The kinds of credentials that a route takes.
const (
	Public        Credentials = iota // none is needed
	Basic                            // user name and password, RFC 7617
	Bearer                           // a token, RFC 6750
	BasicOrBearer                    // a password, or a token with the route's scope
	AnyToken                         // a password, or any token whatever its scopes
	OwnToken                         // a token, whatever its scopes
	Password                         // a password; a good token is told that it will not do
)

// TakesBasic reports whether a password will do.
func (c Credentials) TakesBasic() bool {
	return c == Basic || c == BasicOrBearer || c == AnyToken || c == Password
}

// TakesBearer reports whether a token will do.
func (c Credentials) TakesBearer() bool { return c != Public && c != Basic && c != Password }

// NeedsScope reports whether a token has to have the route's scope.
func (c Credentials) NeedsScope() bool { return c == Bearer || c == BasicOrBearer }

// Role is what a caller has to be: in the whole, or to the wallet that the
// route's {alias} names.
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

// Route is one line of the table from which the server, the description and the
// tests of who may do what are made.
type Route struct {
	Method      string
	Path        string // without a slash at its end; the one with it is served, too
	Credentials Credentials
	Scope       auth.Scopes // 0 only where no token is taken, or any
	Role        Role
	Handler     Handler
	Summary     string
}

// Handler answers a request, once its caller has proved to be entitled to it.
type Handler struct {
	// In and Out are the types of the request and of the response on success;
	// struct{} is nothing.
	In, Out reflect.Type
	Status  int // on success
	// OtherStatus is the other one that there can be on success: 201 where something
	// new was made, or 200 where nothing was; 0 for none.
	OtherStatus int
	Name        string // that of the function, such as ListTokens
	// PathParameters are the names of those in the path.
	PathParameters []string
	// Media are the types of a body that is streamed, instead of Out.
	Media []Media
	// MaxBody is how many bytes the body may have.
	MaxBody int64
	// NeedsBody is whether some field of the body has to be there.
	NeedsBody bool
	// Text is a body that is no JSON object; nil where there is none.
	Text *Text
	// HasETag is whether a client can ask for an answer only if it is another
	// than the last one.
	HasETag bool
	// RequiresNode is whether the answer waits for the node.
	RequiresNode bool
	// IsHeavy is whether the server limits how many such requests work at once. For a
	// body that is streamed it does so anyway.
	IsHeavy bool
	// TakesIdempotencyKey is whether a client can ask again without anything being done twice.
	TakesIdempotencyKey bool
	// ShownScope is the scope that a token needs to see the response to a change; 0 if
	// none is needed. Without it the change is answered with 204 and no body.
	ShownScope auth.Scopes
	serve      func(ctx context.Context, w http.ResponseWriter, r *http.Request, o options) error
}

// Recheck checks again, once a request's body has been read, whether its caller may
// make it. It returns ctx with the caller as they are now.
type Recheck func(ctx context.Context) (context.Context, error)

// options are how a handler is to serve a request.
type options struct {
	strict  Strictness
	etag    bool
	recheck Recheck
}

// WithETag returns the handler, one that reads, with an ETag on its answers: 304
// where the client has the same one already (RFC 9110, section 13.1.2).
func (h Handler) WithETag() Handler {
	h.HasETag = true
	return h
}

// NeedsNode returns the handler, marked as one that waits for the node. All others
// answer while the node is away, too.
func (h Handler) NeedsNode() Handler {
	h.RequiresNode = true
	return h
}

// Heavy returns the handler, marked as one whose requests take much work: the server
// limits how many of them work at once.
func (h Handler) Heavy() Handler {
	h.IsHeavy = true
	return h
}

// WithIdempotencyKey returns the handler, marked as one whose successful answer is repeated
// to requests with the same Idempotency-Key.
func (h Handler) WithIdempotencyKey() Handler {
	h.TakesIdempotencyKey = true
	return h
}

// ShownTo returns the handler, one that changes something, with the scope that its
// response takes. Others may make the change and see nothing: what the response shows is
// what that scope reads. A response that only shows what the request created needs none.
func (h Handler) ShownTo(scope auth.Scopes) Handler {
	h.ShownScope = scope
	return h
}

// Serve answers r in ctx, which carries the caller, or returns why it could not,
// having written nothing then; but for a BrokenError. Recheck is called after the
// request was read and before anything is done; it may be nil.
func (h Handler) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, strict Strictness, recheck Recheck) error {
	return h.serve(ctx, w, r, options{strict, h.HasETag, recheck})
}

// Text is a body that a handler takes as it is, in a field of bytes with a tag body.
type Text struct {
	Types       []string // of media that are taken
	Description string
	OrJSON      bool  // whether a JSON object is taken, too
	field       []int // its index, through embedded structs
}

// jsonMedia is the type of a JSON object.
const jsonMedia = "application/json"

// types are all that are taken.
func (t *Text) types() []string {
	if t.OrJSON {
		return append([]string{jsonMedia}, t.Types...)
	}
	return t.Types
}

// Check returns an error where the path has other parameters than the handler:
// a mistake in the table.
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
	return nil
}

// None is the request or the response type of a handler that has none.
type None = struct{}

// JSON makes a handler of a function from a request to a response. Fields of In
// with a path, query or header tag are filled from there, all others from a JSON body.
// It panics where In cannot be filled, which is a mistake in the table.
func JSON[In, Out any](status int, f func(ctx context.Context, in In) (Out, error)) Handler {
	h := handler(func(ctx context.Context, in In) (Out, int, error) {
		out, err := f(ctx, in)
		return out, status, err
	})
	h.Name, h.Status = nameOf(f), status
	return h
}

// handler makes a handler of a function that also says with which status.
func handler[In, Out any](f func(ctx context.Context, in In) (out Out, status int, err error)) Handler {
	plan := planFor(reflect.TypeFor[In]())
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
			if v, ok := any(out).(Versioned); ok {
				return writeVersioned(w, r, status, v, o.etag)
			}
			if o.etag {
				return writeTagged(w, r, out)
			}
			return Write(w, status, JSONType, out)
		},
	}
}

// Versioned is an answer whose ETag is the version of what it shows.
type Versioned interface {
	// ETag returns the tag as it is on the wire, or nothing for what has no version.
	ETag() string
}

// OK makes a handler that answers 200.
func OK[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusOK, f)
}

// Created makes a handler that answers 201.
func Created[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusCreated, f)
}

// CreatedOrOK makes a handler that answers 201 where f made something new, and 200 where
// that was there.
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

// CreatedOrDryRun makes a handler that answers 201 where f made something new, and 200
// where it was asked only to say what it would make.
func CreatedOrDryRun[In, Out any](f func(ctx context.Context, in In) (out Out, created bool, err error)) Handler {
	h := CreatedOrOK(f)
	h.Name, h.Status, h.OtherStatus = nameOf(f), http.StatusCreated, http.StatusOK
	return h
}

// IsDryRun reports whether an answer of this status is that of a dry run, after which
// nothing was made.
func (h Handler) IsDryRun(status int) bool {
	return h.Status == http.StatusCreated && h.OtherStatus != 0 && status == h.OtherStatus
}

// NoContent makes a handler that answers 204 without a body.
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
	name = strings.TrimSuffix(name, "-fm") // that of a bound method
	return name[strings.LastIndexByte(name, '.')+1:]
}
