package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// credential is one kind of credential of TestMatrix.
type credential struct {
	name    string
	headers func(t *testing.T, w *world, to route.Route) []string
	verdict func(to route.Route) verdict
	// only reports whether the credential is tried on a route; nil selects all routes.
	only func(to route.Route) bool
	// foreign makes the request name a resource of another user.
	foreign bool
}

// credentials has the credentials that TestMatrix tries on the routes.
var credentials = append([]credential{
	{name: "no credential", headers: fixed(), verdict: refused},
	{name: "wrong password", headers: func(_ *testing.T, w *world, _ route.Route) []string {
		return []string{basic(w.caller.Name, "not "+w.caller.password)}
	}, verdict: refused},
	{name: "password of an unknown user", headers: func(*testing.T, *world, route.Route) []string {
		return []string{basic(unique("unknown"), "correct horse of unknown")}
	}, verdict: refused},
	{name: "token with every other scope", headers: func(t *testing.T, w *world, to route.Route) []string {
		return []string{w.token(t, w.caller, auth.ScopesOf(w.caller.Admin)&^to.Scope).bearer()}
	}, verdict: withoutScope},
	{name: "token with the required scope", headers: func(t *testing.T, w *world, to route.Route) []string {
		return []string{w.token(t, w.caller, to.Scope).bearer()}
	}, verdict: byScopeAlone, only: func(to route.Route) bool { return !givesRights(to) }},
	{name: "token with every scope", headers: func(t *testing.T, w *world, _ route.Route) []string {
		return []string{w.token(t, w.caller, 0).bearer()}
	}, verdict: byToken},
	{name: "token of an ordinary user", headers: func(t *testing.T, w *world, _ route.Route) []string {
		return []string{w.token(t, w.user(t, unique("ordinary"), false), 0).bearer()}
	}, verdict: byOrdinary, only: forAdmins},
	{name: "token of a former admin", headers: func(t *testing.T, w *world, _ route.Route) []string {
		former := w.user(t, unique("former"), true)
		k := w.token(t, former, 0)
		w.sql(t, "UPDATE users SET is_admin = FALSE WHERE user_id = $1", former.ID)
		return []string{k.bearer()}
	}, verdict: byOrdinary, only: forAdmins},
	{name: "another user's resource, with a password", headers: password, verdict: foreignByPassword, only: hasID, foreign: true},
	{name: "another user's resource, with a token", headers: func(t *testing.T, w *world, _ route.Route) []string {
		return []string{w.token(t, w.caller, 0).bearer()}
	}, verdict: foreignByToken, only: hasID, foreign: true},
	{name: "token for the wallet", headers: func(t *testing.T, w *world, _ route.Route) []string {
		return []string{w.token(t, w.caller, 0, w.vaultOf(t, w.caller).alias).bearer()}
	}, verdict: byToken, only: isOnVault},
	{name: "token for another wallet", headers: func(t *testing.T, w *world, _ route.Route) []string {
		alias := strings.ReplaceAll(unique("another"), "-", "_")
		w.wallet(t, w.caller, alias, "owner")
		return []string{w.token(t, w.caller, 0, alias).bearer()}
	}, verdict: foreignByToken, only: isOfWallet},
	{name: "token of a member with a lower role", headers: func(t *testing.T, w *world, to route.Route) []string {
		lower := map[route.Role]string{route.Owner: "signer", route.Signer: "proposer", route.Proposer: "viewer"}[to.Role]
		member := w.user(t, unique("member"), false)
		v := w.vaultOf(t, w.caller)
		w.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, $3, $4, 0)", v.id, member.ID, lower, v.alias)
		return []string{w.token(t, member, 0).bearer()}
	}, verdict: func(route.Route) verdict { return roleMissing }, only: func(to route.Route) bool { return isOnVault(to) && to.Role != route.Viewer }},
	{name: "right password", headers: password, verdict: byPassword},
}, append(malformed(), badTokens...)...)

// badTokens has forged, malformed, expired and revoked tokens, and credentials of disabled
// or deleted users.
var badTokens = []credential{
	{name: "token signed with another key", headers: forged(func(_ *world, c jwt.MapClaims) string {
		return sign(jwt.SigningMethodHS256, c, []byte(strings.Repeat("another key", 4)))
	}), verdict: refused},
	{name: "token signed with an empty key", headers: forged(func(_ *world, c jwt.MapClaims) string {
		return sign(jwt.SigningMethodHS256, c, []byte{})
	}), verdict: refused},
	{name: "token with the algorithm none", headers: forged(func(_ *world, c jwt.MapClaims) string {
		return sign(jwt.SigningMethodNone, c, jwt.UnsafeAllowNoneSignatureType)
	}), verdict: refused},
	{name: "right key, another algorithm", headers: forged(func(w *world, c jwt.MapClaims) string {
		return sign(jwt.SigningMethodHS512, c, w.key)
	}), verdict: refused},
	{name: "right key, changed description", headers: forged(func(w *world, c jwt.MapClaims) string {
		c["jwt_token_description"] = "another"
		return sign(jwt.SigningMethodHS256, c, w.key)
	}), verdict: refused},
	{name: "right key, later expiry", headers: forged(func(w *world, c jwt.MapClaims) string {
		c["exp"] = c["exp"].(float64) + 3600
		return sign(jwt.SigningMethodHS256, c, w.key)
	}), verdict: refused},
	{name: "right key, no expiry", headers: forged(func(w *world, c jwt.MapClaims) string {
		delete(c, "exp")
		return sign(jwt.SigningMethodHS256, c, w.key)
	}), verdict: refused},
	{name: "right key, unknown token id", headers: forged(func(w *world, c jwt.MapClaims) string {
		c["jwt_token_id"] = "00000000-0000-4000-8000-000000000000"
		return sign(jwt.SigningMethodHS256, c, w.key)
	}), verdict: refused},
	{name: "signature of other claims", headers: alteredSecret(func(secret string) string {
		parts := strings.Split(secret, ".")
		claims := string(testkit.Must(base64.RawURLEncoding.DecodeString(parts[1])))
		claims = strings.Replace(claims, `"username":"`, `"username":"x`, 1)
		return parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + parts[2]
	}), verdict: refused},
	{name: "signature with trailing bits 1", headers: alteredSecret(setUnusedBits(1)), verdict: refused},
	{name: "signature with trailing bits 2", headers: alteredSecret(setUnusedBits(2)), verdict: refused},
	{name: "signature with trailing bits 3", headers: alteredSecret(setUnusedBits(3)), verdict: refused},
	{name: "signature with padding", headers: alteredSecret(func(s string) string { return s + "=" }), verdict: refused},
	{name: "empty signature", headers: alteredSecret(func(s string) string { return s[:strings.LastIndex(s, ".")+1] }), verdict: refused},
	{name: "two tokens separated by a tab", headers: alteredSecret(func(s string) string { return s + "\t" + s }), verdict: refused},
	{name: "token encoded twice", headers: alteredSecret(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }), verdict: refused},
	{name: "expired token", headers: func(t *testing.T, w *world, _ route.Route) []string {
		k := w.tokenFor(t, w.caller, time.Second, 0, nil)
		w.clock.advance(time.Second)
		return []string{k.bearer()}
	}, verdict: refused},
	{name: "revoked token", headers: func(t *testing.T, w *world, _ route.Route) []string {
		k := w.token(t, w.caller, 0)
		testkit.Must(w.Tokens.Delete(t.Context(), w.caller.principal(), k.id, false))
		return []string{k.bearer()}
	}, verdict: refused},
	{name: "token whose parent was revoked", headers: func(t *testing.T, w *world, _ route.Route) []string {
		parent := w.token(t, w.caller, 0)
		child := w.child(t, parent)
		testkit.Must(w.Tokens.Delete(t.Context(), w.caller.principal(), parent.id, false))
		return []string{child.bearer()}
	}, verdict: refused},
	{name: "token of a disabled user", headers: endedCredential(func(t *testing.T, w *world, p testUser) {
		w.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", p.ID)
	}), verdict: refused},
	{name: "token of a user who was disabled and enabled", headers: endedCredential(func(t *testing.T, w *world, p testUser) {
		for _, disabled := range []bool{true, false} {
			testkit.Must(w.Users.Change(t.Context(), auth.Operator("test"), p.Name, auth.UserChange{Disabled: &disabled}))
		}
	}), verdict: refused},
	{name: "token of a deleted user", headers: endedCredential(func(t *testing.T, w *world, p testUser) {
		testkit.Check(t, w.Users.Delete(t.Context(), auth.Operator("test"), p.Name, false))
	}), verdict: refused},
	{name: "password of a disabled user", headers: func(t *testing.T, w *world, to route.Route) []string {
		p := w.user(t, unique("disabled"), to.Role == route.Admin)
		w.sql(t, "UPDATE users SET disabled_at = 1 WHERE user_id = $1", p.ID)
		return []string{p.basic()}
	}, verdict: refused},
}

// malformed returns credentials whose Authorization headers are malformed, repeated or too
// long. All routes except public ones must refuse them.
func malformed() []credential {
	var all []credential
	for name, header := range map[string]func(w *world, good string) []string{
		"empty header":               func(*world, string) []string { return []string{""} },
		"scheme alone":               func(*world, string) []string { return []string{"Basic"} },
		"bearer alone":               func(*world, string) []string { return []string{"Bearer"} },
		"bearer with spaces":         func(*world, string) []string { return []string{"Bearer   "} },
		"bearer with a space inside": func(_ *world, good string) []string { return []string{good + " " + good} },
		"bearer with two spaces":     func(_ *world, good string) []string { return []string{strings.Replace(good, " ", "  ", 1)} },
		"token without a scheme":     func(_ *world, good string) []string { return []string{strings.TrimPrefix(good, "Bearer ")} },
		"unknown scheme":             func(_ *world, good string) []string { return []string{strings.Replace(good, "Bearer", "Digest", 1)} },
		"bad base64":                 func(w *world, _ string) []string { return []string{"Basic !!!" + w.caller.basic()[6:]} },
		"base64 without padding": func(w *world, _ string) []string {
			if !strings.HasSuffix(w.caller.basic(), "=") {
				panic("the caller's name and password need no padding; change their length")
			}
			return []string{strings.TrimRight(w.caller.basic(), "=")}
		},
		"no colon": func(w *world, _ string) []string {
			return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(w.caller.Name))}
		},
		"invalid UTF-8":                 func(*world, string) []string { return []string{basic("caller\xff", "correct horse of caller")} },
		"NUL in the password":           func(w *world, _ string) []string { return []string{basic(w.caller.Name, w.caller.password+"\x00")} },
		"the same token twice":          func(_ *world, good string) []string { return []string{good, good} },
		"password and token":            func(w *world, good string) []string { return []string{w.caller.basic(), good} },
		"two credentials in one header": func(w *world, good string) []string { return []string{w.caller.basic() + ", " + good} },
		"3 kB of token":                 func(*world, string) []string { return []string{"Bearer " + strings.Repeat("x", 3000)} },
	} {
		all = append(all, credential{name: "malformed: " + name, verdict: refused, headers: func(_ *testing.T, w *world, _ route.Route) []string {
			return header(w, w.good.bearer())
		}})
	}
	return all
}

func fixed(headers ...string) func(*testing.T, *world, route.Route) []string {
	return func(*testing.T, *world, route.Route) []string { return headers }
}

func password(_ *testing.T, w *world, _ route.Route) []string { return []string{w.caller.basic()} }

// forged returns a function for credential.headers. The function passes the claims of a valid
// token to forge and returns the resulting token as a Bearer credential.
func forged(forge func(w *world, claims jwt.MapClaims) string) func(*testing.T, *world, route.Route) []string {
	return func(t *testing.T, w *world, _ route.Route) []string {
		var claims jwt.MapClaims
		_, _, err := jwt.NewParser().ParseUnverified(w.good.secret, &claims)
		testkit.Check(t, err)
		return []string{bearer(forge(w, claims))}
	}
}

func sign(method jwt.SigningMethod, claims jwt.MapClaims, key any) string {
	return testkit.Must(jwt.NewWithClaims(method, claims).SignedString(key))
}

func alteredSecret(spoil func(secret string) string) func(*testing.T, *world, route.Route) []string {
	return func(_ *testing.T, w *world, _ route.Route) []string {
		return []string{bearer(spoil(w.good.secret))}
	}
}

// setUnusedBits returns a function that sets the two unused bits at the end of a token. The
// signature has 32 bytes, or 43 base64 digits; lenient decoders ignore the last two bits.
func setUnusedBits(bits byte) func(string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return func(secret string) string {
		last := strings.IndexByte(digits, secret[len(secret)-1])
		return fmt.Sprintf("%s%c", secret[:len(secret)-1], digits[last|int(bits)])
	}
}

func endedCredential(end func(t *testing.T, w *world, p testUser)) func(*testing.T, *world, route.Route) []string {
	return func(t *testing.T, w *world, to route.Route) []string {
		p := w.user(t, unique("former"), to.Role == route.Admin)
		k := w.token(t, p, 0)
		end(t, w, p)
		return []string{k.bearer()}
	}
}

func refused(to route.Route) verdict {
	if to.Credentials == route.Public {
		return letIn
	}
	return unknown
}

func byPassword(to route.Route) verdict {
	if to.Credentials.TakesBasic() {
		return letIn
	}
	return refused(to)
}

func byToken(to route.Route) verdict {
	if to.Credentials == route.Password {
		return byPasswordOnly
	}
	if to.Credentials == route.BasicOrBearer && (to.Handler.Name == "DeleteToken" || to.Handler.Name == "RotateToken") {
		return notOwnToken // the token in the path was created with a password
	}
	if strings.HasPrefix(to.Path, "/api/v1/webhooks/") {
		return notFound // the webhook in the path was created with a password; see TestWebhooks_OfToken
	}
	if to.Credentials.TakesBearer() {
		return letIn
	}
	return refused(to)
}

// byScopeAlone returns the verdict for a token that has only the scope of the route.
func byScopeAlone(to route.Route) verdict {
	if v := byToken(to); v != letIn || to.Scope.Has(to.Handler.ShownScope) {
		return v
	}
	return unseen
}

func withoutScope(to route.Route) verdict {
	if to.Credentials.NeedsScope() {
		return scopeMissing
	}
	return byToken(to)
}

func byOrdinary(route.Route) verdict { return adminsOnly }

func foreignByPassword(to route.Route) verdict {
	if byPassword(to) == letIn {
		return notFound
	}
	return byPassword(to)
}

func foreignByToken(to route.Route) verdict {
	if v := byToken(to); v == letIn || v == notOwnToken {
		return notFound
	}
	return byToken(to)
}

func forAdmins(to route.Route) bool { return to.Role == route.Admin }

func hasID(to route.Route) bool {
	return strings.Contains(to.Path, "{id}") && to.Role != route.Admin || isOfWallet(to)
}

// isOfWallet reports whether the path of a route names a resource of a wallet.
func isOfWallet(to route.Route) bool {
	return strings.Contains(to.Path, "{alias}") || strings.Contains(to.Path, "{address}")
}

// isOnVault reports whether the valid request to a route uses the caller's vault rather than
// a wallet that is created for that request.
func isOnVault(to route.Route) bool {
	return strings.Contains(to.Path, "{alias}") && to.Handler.Name != "DeleteWallet"
}

// givesRights reports whether the route creates tokens, webhooks, members or invitations. The caller
// then also needs the scopes that the route grants.
func givesRights(to route.Route) bool {
	return to.Method == http.MethodPost && strings.HasPrefix(to.Path, "/api/v1/tokens") || to.Handler.Name == "CreateWebhook" || to.Handler.Name == "PutMember" || to.Handler.Name == "CreateInvitation"
}
