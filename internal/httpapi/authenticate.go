package httpapi

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/httpcall"
	"github.com/specterd/specterd/internal/wallet"
)

// authorize authenticates the request and checks that the caller may use the route. It
// returns the request's context with the principal and, on the route of a wallet, the
// caller's access to the wallet; on a public route, it returns the context unchanged. It does
// not read the body, so that unauthenticated clients cannot fill the server's memory.
func (s *server) authorize(w http.ResponseWriter, r *http.Request, to *route.Route) (context.Context, error) {
	if to.Credentials == route.Public {
		return r.Context(), nil
	}
	who, err := s.authenticate(r, to.Credentials)
	return s.enter(r.Context(), w, r, to, who, err)
}

// recheckOf returns a function that authorizes a request again after its body was read or
// after it waited for a slot, because both can take long. It returns nil for public routes
// for light requests without a body, and for a Direct.
func (s *server) recheckOf(w http.ResponseWriter, r *http.Request, to *route.Route) route.Recheck {
	if r.ContentLength == 0 && !to.Handler.IsHeavy || to.Credentials == route.Public || s.isDirect() {
		return nil
	}
	return func(ctx context.Context) (context.Context, error) {
		who, err := s.login.Recheck(ctx, auth.PrincipalFrom(ctx))
		return s.enter(ctx, w, r, to, who, err)
	}
}

// enter checks that an authenticated caller may use the route. It returns ctx with who, the
// principal, and, on the route of a wallet, with the caller's access to the wallet. If err,
// the error of the authentication, is not nil, or if the caller may not use the route, it
// calls challenge and returns the error. It also records the caller for the log.
func (s *server) enter(ctx context.Context, w http.ResponseWriter, r *http.Request, to *route.Route, who *auth.Principal, err error) (context.Context, error) {
	if err == nil {
		call := httpcall.Of(r.Context())
		call.User, call.TokenID = who.UserName, who.TokenID
		err = checkRights(who, to)
	}
	if err == nil && to.Role.OfWallet() {
		ctx, err = s.withAccess(ctx, r, who, to)
	}
	if err != nil {
		challenge(w, r, to, err)
		return nil, err
	}
	return auth.WithPrincipal(ctx, who), nil
}

// authenticate verifies the credential of a request, which must have exactly one header
// Authorization (RFC 9110, section 11.6.2). A password is verified only if the route
// accepts passwords. A token is verified also if the route accepts only passwords; checkRights
// then refuses it.
func (s *server) authenticate(r *http.Request, takes route.Credentials) (*auth.Principal, error) {
	if s.isDirect() {
		return s.caller, nil
	}
	headers := r.Header["Authorization"]
	switch len(headers) {
	case 0:
		return nil, auth.ErrUnauthenticated.WithMessage("no credentials; this route requires %s", required(takes))
	case 1:
	default:
		return nil, auth.ErrUnauthenticated
	}
	scheme, credential, _ := strings.Cut(headers[0], " ")
	switch {
	case (takes.TakesBearer() || takes == route.Password) && strings.EqualFold(scheme, "Bearer"):
		who, err := s.login.Token(r.Context(), credential, httpcall.Of(r.Context()).Address, r.UserAgent())
		if err == auth.ErrUnauthenticated && !looksLikeToken(credential) { //nolint:errorlint // without a message of its own
			err = auth.ErrUnauthenticated.WithMessage("invalid credentials; the text after Bearer is not a token of specterd, which begins with eyJ and has two dots")
		}
		return who, err
	case takes.TakesBasic() && strings.EqualFold(scheme, "Basic"):
		name, password, ok := parseBasic(credential)
		if !ok {
			return nil, auth.ErrUnauthenticated
		}
		who, err := s.login.Password(r.Context(), name, password, httpcall.Of(r.Context()).Address)
		if err == auth.ErrUnauthenticated { //nolint:errorlint // without a message of its own
			err = refusedPassword(password, takes)
		}
		return who, err
	case !takes.TakesBasic():
		return nil, auth.ErrUnauthenticated.WithMessage("this route requires %s; create one with POST /api/v1/tokens", required(takes))
	}
	return nil, auth.ErrUnauthenticated.WithMessage("this route requires %s", required(takes))
}

// refusedPassword returns the error for a wrong user name or password, which depends only on
// the text of the request. A common mistake is a token in place of the password.
func refusedPassword(password string, takes route.Credentials) error {
	switch {
	case !looksLikeToken(password):
		return auth.ErrUnauthenticated.WithMessage("invalid credentials; check user name and password")
	case takes.TakesBearer():
		return auth.ErrUnauthenticated.WithMessage("invalid credentials; the password looks like an access token, which must be sent as: Authorization: Bearer TOKEN")
	}
	return auth.ErrUnauthenticated.WithMessage("invalid credentials; the password looks like an access token, but this route requires %s", required(takes))
}

// looksLikeToken reports whether a text has the form of an access token (a JWT).
func looksLikeToken(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}

// required describes the credentials that a route accepts, for error messages.
func required(takes route.Credentials) string {
	const token, password = "an access token (Authorization: Bearer TOKEN)", "your user name and password (HTTP Basic)"
	switch {
	case takes.TakesBasic() && takes.TakesBearer():
		return token + ", or " + password
	case takes.TakesBasic():
		return password
	}
	return token
}

// parseBasic decodes Basic credentials (RFC 7617): strict base64 of UTF-8 text, with the
// name before the first colon.
func parseBasic(credential string) (name, password string, ok bool) {
	text, err := base64.StdEncoding.Strict().DecodeString(credential)
	if err != nil || !utf8.Valid(text) || strings.ContainsAny(credential, "\r\n") {
		return "", "", false
	}
	return strings.Cut(string(text), ":")
}

var errScope = fault.New(fault.Forbidden, "insufficient_scope", "the token lacks a scope")

// checkRights checks that the caller is an admin, used a password, or has a token with the
// route's scope, as the route requires. All its errors are Forbidden faults.
func checkRights(who *auth.Principal, to *route.Route) error {
	if to.Role == route.Admin && !who.Admin {
		return fault.New(fault.Forbidden, "insufficient_role", "only admins may do this").WithDetail("required_role", string(route.Admin))
	}
	if to.Credentials == route.Password {
		return who.RequirePassword()
	}
	if to.Credentials.NeedsScope() && !who.Scopes.Has(to.Scope) {
		return errScope.WithMessage("the token lacks the scope %s", to.Scope).WithDetail("required_scope", to.Scope.String())
	}
	return nil
}

// withAccess returns ctx with the caller's access to the wallet that the path names. No other
// function resolves the alias in a path. It returns wallet.ErrNotFound if the wallet does not
// exist, if the caller is not a member, and if the token is not for this wallet, so that the
// caller cannot distinguish these cases. If the caller's role in the wallet does not cover
// the role of the route, it returns a Forbidden fault.
func (s *server) withAccess(ctx context.Context, r *http.Request, who *auth.Principal, to *route.Route) (context.Context, error) {
	alias, err := route.PathParam(r, "alias")
	if err != nil {
		return ctx, err
	}
	access, err := s.Wallets.Access(ctx, who, alias)
	if err != nil {
		return ctx, err
	}
	return wallet.WithAccess(ctx, access), access.Need(auth.WalletRole(to.Role))
}

const realm = `realm="specterd", charset="UTF-8"`

// challenge sets WWW-Authenticate (RFC 9110, section 11.6.1, and RFC 6750, section 3) if err
// is a failed authentication or a missing scope.
func challenge(w http.ResponseWriter, r *http.Request, to *route.Route, err error) {
	h := w.Header()
	switch fault.KindOf(err) {
	case fault.Unauthenticated:
		if to.Credentials.TakesBearer() {
			how := `Bearer realm="specterd"`
			if presentsToken(r) { // a request without a token gets no error code (RFC 6750, section 3.1)
				how += `, error="invalid_token"`
			}
			h.Add("WWW-Authenticate", how)
		}
		if to.Credentials.TakesBasic() {
			h.Add("WWW-Authenticate", "Basic "+realm)
		}
	case fault.Forbidden:
		if errors.Is(err, errScope) {
			h.Add("WWW-Authenticate", `Bearer realm="specterd", error="insufficient_scope", scope="`+to.Scope.String()+`"`)
		}
	}
}

// presentsToken reports whether the request has credentials that may be a token. In
// v1alpha it is true for all credentials, because the responses of v1alpha are frozen.
func presentsToken(r *http.Request) bool {
	headers := r.Header["Authorization"]
	if len(headers) != 1 || apiOf(r.URL.Path) != "v1" {
		return len(headers) > 0
	}
	scheme, _, _ := strings.Cut(headers[0], " ")
	return !strings.EqualFold(scheme, "Basic")
}
