package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// maxCalls is the length of the longest sequences that TestRightsSearch tries.
const maxCalls = 4

// TestRightsSearch searches for privilege escalations with a stolen token. For every set of two
// scopes (in a short run, for six random sets) and for some larger sets, it tries all sequences
// of two calls that create or change rights, and random sequences of up to four calls, because
// there are too many states to try all. After each call it checks that no obtained credential
// has more rights than the token. States that differ only in names are tried once.
func TestRightsSearch(t *testing.T) {
	testkit.NeedsTime(t)
	t.Parallel()
	sets, seed := pairs(), testkit.Seed(t)
	if !testkit.Long() { // try random sets, which differ between runs
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(sets), func(i, k int) { sets[i], sets[k] = sets[k], sets[i] })
		sets = sets[:6]
	}
	sets = append(sets, largerSets...)
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		newSearch(t, start(t, undescribed), seed).all(sets, testkit.Size(5, 500))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		newSearch(t, start(t, undescribed, engines["PostgreSQL"](t)), seed).all(append([]auth.Scopes{auth.TokensWrite | auth.NodeRead}, largerSets...), testkit.Size(5, 50))
	})
}

// largerSets contains sets with which a token can give a role, and the most common sets.
var largerSets = []auth.Scopes{
	auth.MembersWrite | auth.RoleViewer.Scopes(), auth.MembersWrite | auth.RoleSigner.Scopes(),
	auth.DefaultScopes, auth.DefaultScopes | auth.TokensWrite | auth.UsersWrite,
}

// pairs returns all sets of two scopes.
func pairs() (all []auth.Scopes) {
	names := auth.AllScopes.Names()
	for i := range names {
		for j := range i {
			all = append(all, testkit.Must(auth.ParseScopes("", []string{names[i], names[j]})))
		}
	}
	return all
}

// undescribed turns off the comparison of responses with the specification, which other
// tests make.
func undescribed(s *setup) { s.routes = func(routes []route.Route) []route.Route { return routes } }

// search is a server with the users of the search: alice, an admin whose token is stolen; boss,
// another admin; and mallory, who has stolen the token and has an account.
type search struct {
	*server
	t                    *testing.T
	alice, boss, mallory testUser
	strong               token // another token of alice, with every scope, not stolen
	account              token // mallory's own token, which accepts invitations
	clean                rows  // the rights before the stolen token is created

	// The limits of the stolen token.
	scopes  auth.Scopes
	wallets []string // ids of the wallets; nil if they are not limited
	limit   string   // alias of the only wallet; empty if wallets are not limited
	end     time.Time
	useless map[string]bool // requests, with the rights of their credential, that are always refused

	random   *rand.Rand
	tried    int // requests of the last random walk
	obtained int // tokens obtained so far
}

func newSearch(t *testing.T, s *server, seed uint64) *search {
	h := &search{server: s, t: t, alice: s.user(t, "alice", true), boss: s.user(t, "boss", true), mallory: s.user(t, "mallory", false)}
	h.random = rand.New(rand.NewPCG(seed, 1))
	s.wallet(t, h.alice, "vault", "owner")
	s.wallet(t, h.alice, "shared", "owner")
	s.sql(t, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) SELECT wallet_id, $1, 'owner', alias, 0 FROM members WHERE alias = 'shared'", h.boss.ID)
	s.wallet(t, h.alice, "seen", "viewer")
	h.strong, h.account = s.token(t, h.alice, 0), s.token(t, h.mallory, 0)
	h.clean = h.rows()
	return h
}

// holding contains the credentials of mallory: token secrets by token id, and passwords by
// user name.
type holding struct {
	tokens    map[string]string
	passwords map[string]string
}

// state contains the rights in the database and the credentials of mallory.
type state struct {
	rows  rows
	has   holding
	calls []string // the calls that led to the state
}

func (h *search) all(sets []auth.Scopes, walks int) {
	states, requests := 0, 0
	for _, scopes := range sets {
		for _, limit := range []string{"", "vault"} {
			if limit != "" && scopes&auth.MembersWrite == 0 && scopes&auth.TokensWrite == 0 {
				continue // the limit would have no effect
			}
			s, r := h.from(scopes, limit, walks)
			states, requests = states+s, requests+r
			if h.t.Failed() {
				return
			}
		}
	}
	testkit.Figure(h.t, "%d sets of scopes, all sequences of %d calls and up to %d random ones of %d for each set: %d states, %d requests",
		len(sets), exhaustive, walks, maxCalls, states, requests)
}

// exhaustive is the maximum length of the sequences of calls that are tried exhaustively.
const exhaustive = 2

// from tries a token with these scopes: first all short sequences, breadth first, and then
// random continuations of them.
func (h *search) from(scopes auth.Scopes, limit string, walks int) (states, requests int) {
	h.restore(h.clean)
	h.scopes, h.limit, h.wallets, h.useless = scopes, limit, nil, map[string]bool{}
	var wallets []string
	if limit != "" {
		wallets = []string{limit}
	}
	stolen := h.tokenFor(h.t, h.alice, time.Hour, scopes, wallets)
	row := testkit.Must(h.store.TokenOfUser(h.t.Context(), h.alice.ID, stolen.id))
	h.wallets, h.end = row.Wallets, row.ExpiresAt
	first := state{rows: h.rows(), has: holding{map[string]string{stolen.id: stolen.secret}, map[string]string{"mallory": h.mallory.password}}}
	known := map[string]bool{h.canonical(first): true}
	var ends []state
	for frontier := []state{first}; len(frontier) > 0; {
		var next []state
		for _, s := range frontier {
			states++
			if len(s.calls) == exhaustive {
				ends = append(ends, s)
				continue
			}
			h.restore(s.rows)
			for _, c := range h.possible(s) {
				after, changed := h.try(s, c)
				requests++
				if !changed {
					continue
				}
				if !h.check(after, stolen.id) {
					return states, requests
				}
				if name := h.canonical(after); !known[name] {
					known[name] = true
					next = append(next, after)
				}
				h.restore(s.rows)
			}
		}
		frontier = next
	}
	if len(ends) == 0 { // every state after two calls can also be reached with fewer calls
		return states, requests
	}
	for range walks {
		more := h.walk(ends[h.random.IntN(len(ends))], stolen.id, known)
		states, requests = states+more, requests+h.tried
		if h.t.Failed() {
			break
		}
	}
	return states, requests
}

// walk makes random calls from a state until the sequence has maxCalls calls. It returns the
// number of new states, and sets h.tried to the number of requests that it made.
func (h *search) walk(s state, stolen string, known map[string]bool) (states int) {
	h.tried = 0
	h.restore(s.rows)
	for len(s.calls) < maxCalls {
		calls := h.possible(s)
		h.random.Shuffle(len(calls), func(i, k int) { calls[i], calls[k] = calls[k], calls[i] })
		changed := false
		for _, c := range calls {
			var after state
			h.tried++
			if after, changed = h.try(s, c); changed {
				s = after
				break
			}
		}
		if !changed || !h.check(s, stolen) {
			return states
		}
		if name := h.canonical(s); !known[name] {
			known[name] = true
			states++
		}
	}
	return states
}

// step is a request with one of mallory's credentials.
type step struct {
	by                 string // id of the token that makes the request
	method, path, body string
	sets               string // name of the user whose password the request sets; empty if none
}

const malloryPassword = "correct horse of the thief"

// possible returns the requests that mallory can make in a state.
func (h *search) possible(s state) []step {
	var all []step
	var ids []string
	for _, row := range s.rows["tokens"].of("user_id", h.alice.ID) {
		ids = append(ids, row["token_id"].(string))
	}
	slices.Sort(ids)
	for _, row := range s.rows["invitations"].of("user_id", h.mallory.ID) {
		all = append(all, step{by: h.account.id, method: "POST", path: "/api/v1/invitations/" + row["invitation_id"].(string) + "/accept", body: `{"alias": "got"}`})
	}
	for _, by := range slices.Sorted(maps.Keys(s.has.tokens)) {
		all = append(all, h.aboutTokens(by, ids)...)
		all = append(all, h.aboutUsers(by)...)
		all = append(all, h.aboutMembers(by)...)
	}
	return all
}

func (h *search) aboutTokens(by string, ids []string) []step {
	own, every := testkit.Must(json.Marshal(h.scopes.Names())), testkit.Must(json.Marshal(auth.AllScopes.Names()))
	var all []step
	for _, fields := range []string{
		`"lifetime": "1 hour"`, `"lifetime": "2 hours", "scopes": ` + string(own), `"lifetime": "1 hour", "scopes": ` + string(own),
		`"lifetime": "1 hour", "scopes": ` + string(every), `"lifetime": "1 hour", "wallets": ["shared"]`,
	} {
		all = append(all, step{by: by, method: "POST", path: tokens, body: `{"description": "«unique»", ` + fields + `}`})
	}
	all = append(all, step{by: by, method: "POST", path: "/api/v1alpha/token/", body: `{"jwt_token_description": "«unique»", "jwt_token_life": "1 hour"}`})
	for _, id := range ids {
		for _, gracePeriod := range []string{"0s", "30 minutes"} {
			all = append(all, step{by: by, method: "POST", path: tokens + "/" + id + "/rotate", body: `{"grace_period": "` + gracePeriod + `"}`})
		}
		for _, how := range []string{"", "?successors=keep"} {
			all = append(all, step{by: by, method: "DELETE", path: tokens + "/" + id + how})
		}
	}
	return append(all, step{by: by, method: "DELETE", path: users + "/alice/tokens"}, step{by: by, method: "DELETE", path: users + "/alice/tokens/" + h.strong.id})
}

func (h *search) aboutUsers(by string) []step {
	var all []step
	for _, more := range []string{``, `, "admin": true`} {
		all = append(all, step{by: by, method: "POST", path: users, sets: "second", body: `{"name": "second", "password": "` + malloryPassword + `"` + more + `}`})
	}
	for _, name := range []string{"alice", "boss", "mallory"} {
		path := userPath(name)
		all = append(all,
			step{by: by, method: "PATCH", path: path, sets: name, body: `{"password": "` + malloryPassword + `"}`},
			step{by: by, method: "PATCH", path: path, body: `{"admin": true}`}, step{by: by, method: "PATCH", path: path, body: `{"admin": false}`},
			step{by: by, method: "PATCH", path: path, body: `{"disabled": true}`}, step{by: by, method: "PATCH", path: path, body: `{"disabled": false}`},
			step{by: by, method: "DELETE", path: path}, step{by: by, method: "DELETE", path: path + "?wallets=delete"},
		)
	}
	return append(all, step{by: by, method: "PATCH", path: users + "/me", sets: "alice", body: `{"password": "` + malloryPassword + `"}`})
}

func (h *search) aboutMembers(by string) []step {
	var all []step
	for _, alias := range []string{"vault", "shared", "seen"} {
		for _, name := range []string{"mallory", "alice"} {
			path := "/api/v1/wallets/" + alias + "/members/" + name
			for _, role := range []string{"viewer", "proposer", "signer", "owner"} {
				all = append(all, step{by: by, method: "PUT", path: path, body: `{"role": "` + role + `"}`})
				if name == "mallory" {
					all = append(all, step{by: by, method: "POST", path: "/api/v1/wallets/" + alias + "/invitations", body: `{"user": "mallory", "role": "` + role + `"}`})
				}
			}
			all = append(all, step{by: by, method: "DELETE", path: path})
		}
	}
	return all
}

// try makes a request in the current state s of the database. It returns the next state and
// whether the request was accepted.
func (h *search) try(s state, c step) (after state, changed bool) {
	secret := s.has.tokens[c.by]
	if c.by == h.account.id {
		secret = h.account.secret
	}
	row := s.rows["tokens"].of("token_id", c.by)
	if len(row) == 0 {
		return s, false
	}
	kind := fmt.Sprint(row[0]["scopes"], row[0]["wallet_ids"], s.rows["users"].of("name", "alice")[0]["is_admin"], c.method, c.path, c.body)
	if h.useless[kind] {
		return s, false
	}
	body := strings.ReplaceAll(c.body, "«unique»", unique("x"))
	r := httptest.NewRequestWithContext(h.t.Context(), c.method, c.path, bytes.NewReader([]byte(body)))
	r.Host, r.RemoteAddr = strings.TrimPrefix(h.url, "http://"), "127.0.0.1:1"
	r.Header.Set("Authorization", bearer(secret))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	var got struct {
		ID     string `json:"id"`
		Token  string `json:"token"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &got)
	switch {
	case w.Code >= 500:
		h.t.Fatalf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
	case w.Code >= 400:
		h.useless[kind] = slices.Contains([]string{"insufficient_scope", "insufficient_role", "password_required", "unauthenticated"}, got.Code) && got.Code != "unauthenticated"
		return s, false
	}
	after = state{h.rows(), holding{maps.Clone(s.has.tokens), maps.Clone(s.has.passwords)}, append(slices.Clone(s.calls), c.method+" "+c.path+" "+c.body)}
	if got.Token != "" {
		after.has.tokens[got.ID] = got.Token
		if h.obtained++; h.obtained <= 1000 { // searching the log for every secret would be slow
			h.secret(got.Token)
		}
	}
	if c.sets != "" {
		after.has.passwords[c.sets] = malloryPassword
	}
	return after, true
}

// check reports whether, in the current state s of the database, all credentials of mallory
// have at most the rights of the stolen token and would be revoked together with it.
func (h *search) check(s state, stolen string) bool {
	ctx := h.t.Context()
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	ends := h.endsWith(stolen)
	for id, secret := range s.has.tokens {
		who, err := h.Login.Token(ctx, secret, "127.0.0.1", "search")
		if errors.Is(err, auth.ErrUnauthenticated) {
			continue
		}
		testkit.Check(h.t, err)
		if !h.scopes.Has(who.Scopes) {
			fail("a token has the scopes %s", who.Scopes)
		}
		if who.ExpiresAt.After(h.end) {
			fail("a token expires at %s", who.ExpiresAt)
		}
		if h.wallets != nil && (who.Wallets == nil || slices.ContainsFunc(who.Wallets, func(w string) bool { return !slices.Contains(h.wallets, w) })) {
			fail("a token is for the wallets %q", who.Wallets)
		}
		if who.UserID != h.alice.ID {
			fail("a token belongs to %s", who.UserName)
		}
		if !slices.Contains(ends, id) {
			fail("a token does not end with the stolen token")
		}
	}
	for name := range s.has.passwords {
		if name != "mallory" {
			fail("mallory has a password of %s", name)
		}
	}
	h.checkAccounts(s, fail)
	if len(wrong) > 0 {
		h.t.Errorf("%s, limited to %q: %s, by:\n%s", h.scopes, h.limit, strings.Join(wrong, "; "), strings.Join(s.calls, "\n"))
	}
	return len(wrong) == 0
}

// checkAccounts checks that nobody got a role without the required scopes, and that alice's
// other token still exists unless the stolen token has the scope users:write.
func (h *search) checkAccounts(s state, fail func(format string, args ...any)) {
	for _, u := range s.rows["users"].all {
		before := h.clean["users"].of("user_id", u["user_id"])
		if truth(u["is_admin"]) && (len(before) == 0 || !truth(before[0]["is_admin"])) {
			fail("%s is an admin", u["name"])
		}
	}
	for _, m := range s.rows["members"].all {
		role := auth.WalletRole(m["role"].(string))
		var had auth.WalletRole
		for _, before := range h.clean["members"].of("wallet_id", m["wallet_id"]) {
			if before["user_id"] == m["user_id"] {
				had = auth.WalletRole(before["role"].(string))
			}
		}
		visible := h.wallets == nil || slices.Contains(h.wallets, m["wallet_id"].(string))
		given := visible && h.scopes.Has(auth.MembersWrite|role.Scopes())
		if !had.Covers(role) && !given {
			fail("a user has become %s of a wallet", role)
		}
	}
	if len(s.rows["tokens"].of("token_id", h.strong.id)) == 0 && !h.scopes.Has(auth.UsersWrite) {
		fail("another token of alice was deleted")
	}
}

var errOnlyAsked = errors.New("only asked")

// endsWith returns the ids of the tokens that would be deleted if alice deleted this token
// with her password, including the token itself.
func (h *search) endsWith(id string) (ids []string) {
	err := h.store.DeleteToken(h.t.Context(), h.alice.ID, id, "", func(d *auth.Deletion) error {
		ids = nil
		for _, t := range slices.Concat(d.Family, d.Successors) {
			ids = append(ids, t.ID)
		}
		return errOnlyAsked
	})
	if !errors.Is(err, errOnlyAsked) {
		h.t.Fatal(err)
	}
	return ids
}
