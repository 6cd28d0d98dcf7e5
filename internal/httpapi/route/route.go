// Package route is what the two API surfaces and the server share: the line of
// the route table, and handlers that are plain functions from a request type to
// a response type. The types are read once, at start-up, for decoding and for
// the API's description.
//
// The package knows no path, no error format and no credential.
package route

import (
	"context"
	"net/http"
	"reflect"
	"runtime"
	"strings"

	"github.com/specterd/specterd/internal/auth"
)

// Credentials says how the caller of a route proves who they are.
type Credentials uint8

// The kinds of credentials that a route takes.
const (
	Nobody   Credentials = iota // none is needed
	Basic                       // user name and password, RFC 7617
	Bearer                      // a token, RFC 6750
	Either                      // a password, or a token with the route's scope
	AnyToken                    // a password, or any token whatever its scopes
	OwnToken                    // a token, whatever its scopes
)

// TakesBasic reports whether a password will do.
func (c Credentials) TakesBasic() bool { return c == Basic || c == Either || c == AnyToken }

// TakesBearer reports whether a token will do.
func (c Credentials) TakesBearer() bool { return c != Nobody && c != Basic }

// NeedsScope reports whether a token has to have the route's scope.
func (c Credentials) NeedsScope() bool { return c == Bearer || c == Either }

// Role is what a caller has to be: in the whole, or to the wallet that the
// route's {alias} names.
type Role string

// The roles.
const (
	Anybody  Role = ""
	Admin    Role = "admin"
	Viewer   Role = "viewer"
	Proposer Role = "proposer"
	Signer   Role = "signer"
	Owner    Role = "owner"
)

// walletRoles are the roles in a wallet, each with the rights of those before it.
var walletRoles = []Role{Viewer, Proposer, Signer, Owner}

// OfWallet reports whether r is a role in a wallet.
func (r Role) OfWallet() bool { return r != Anybody && r != Admin }

// Covers reports whether a member in the wallet role r may do what needs role.
func (r Role) Covers(needed Role) bool {
	for i, role := range walletRoles {
		if role == needed {
			for _, higher := range walletRoles[i:] {
				if higher == r {
					return true
				}
			}
		}
	}
	return false
}

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
	Status  int    // on success
	Name    string // that of the function, such as ListTokens
	// NeedsBody is whether some field of the body has to be there.
	NeedsBody bool
	serve     func(ctx context.Context, w http.ResponseWriter, r *http.Request, strict Strictness) error
}

// Serve answers r in ctx, which carries the caller, or returns why it could not,
// having written nothing then.
func (h Handler) Serve(ctx context.Context, w http.ResponseWriter, r *http.Request, strict Strictness) error {
	return h.serve(ctx, w, r, strict)
}

// None is the request or the response type of a handler that has none.
type None = struct{}

// JSON makes a handler of a function from a request to a response. Fields of In
// with a path or query tag are filled from there, all others from a JSON body.
// It panics where In cannot be filled, which is a mistake in the table.
func JSON[In, Out any](status int, f func(ctx context.Context, in In) (Out, error)) Handler {
	plan := planFor(reflect.TypeFor[In]())
	return Handler{
		In: reflect.TypeFor[In](), Out: reflect.TypeFor[Out](), Status: status, Name: nameOf(f), NeedsBody: plan.needsBody,
		serve: func(ctx context.Context, w http.ResponseWriter, r *http.Request, strict Strictness) error {
			var in In
			if err := plan.decode(w, r, &in, strict); err != nil {
				return err
			}
			out, err := f(ctx, in)
			if err != nil {
				return err
			}
			return Write(w, status, JSONType, out)
		},
	}
}

// Read makes a handler that answers 200.
func Read[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusOK, f)
}

// Create makes a handler that answers 201.
func Create[In, Out any](f func(ctx context.Context, in In) (Out, error)) Handler {
	return JSON(http.StatusCreated, f)
}

// Delete makes a handler that answers 204 without a body.
func Delete[In any](f func(ctx context.Context, in In) error) Handler {
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
