package console

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

var tokenRoutes = []route{
	{method: get, path: "/tokens", audience: users, handle: (*call).listTokens},
	{method: post, path: "/tokens", audience: users, purpose: "To create a token with these rights, enter your password again.", handle: (*call).createToken},
	{method: get, path: "/tokens/new", audience: users, handle: (*call).newToken},
	{method: get, path: "/tokens/{id}", audience: users, handle: (*call).showToken},
	{method: post, path: "/tokens/{id}/rotate", audience: users, purpose: "To rotate a token with these rights, enter your password again.", handle: (*call).rotateToken},
	{method: post, path: "/tokens/{id}/revoke", audience: users, handle: (*call).revokeToken},
}

var tokenNotices = map[string]string{ //nolint:gosec // not a credential
	"token-revoked": "The token is revoked. Requests with it are refused from now on.",
}

// tokensAtOnce is the number of tokens on a page.
const tokensAtOnce = 50

// tokensPage lists the user's tokens.
type tokensPage struct {
	Tokens    []tokenRow
	First     bool   // whether the list begins here
	Next      string // path of the next page; empty on the last
	APIActive bool
}

// tokenRow is a token in a list.
type tokenRow struct {
	auth.Token
	Depth       int    // 0 to 2, in the tree of tokens that created each other
	Rights      string // in words
	WalletNames []string
	State       state
	Valid       bool
}

// Path returns the path of the token's page.
func (t tokenRow) Path() string { return "/tokens/" + t.ID }

// Limited reports whether the token is limited to wallets.
func (t tokenRow) Limited() bool { return t.Wallets != nil }

// Infos returns the token's scopes with their descriptions.
func (t tokenRow) Infos() []scopeInfo { return infoOf(t.Scopes) }

// state is a state as a badge.
type state struct{ Kind, Icon, Text string }

func (c *call) listTokens() error {
	after, err := afterOf(c.query("after"))
	if err != nil {
		return err
	}
	tokens, err := c.Tokens.List(c.r.Context(), c.who, after, tokensAtOnce+1)
	if err != nil {
		return err
	}
	p := tokensPage{First: c.query("after") == "", APIActive: c.APIActive}
	if len(tokens) > tokensAtOnce {
		tokens = tokens[:tokensAtOnce]
		last := tokens[len(tokens)-1]
		p.Next = "/tokens?after=" + afterText(last.CreatedAt, last.ID)
	}
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	p.Tokens = c.tokenTree(tokens, names)
	return c.render("tokens", c.look.T("Access tokens"), p)
}

// afterText returns the position of an item in a list in the order of creation.
func afterText(createdAt time.Time, id string) string {
	return strconv.FormatInt(createdAt.UnixMicro(), 10) + "-" + id
}

// afterOf parses a text of afterText, or the empty one of the first page.
func afterOf(text string) (auth.TokenCursor, error) {
	if text == "" {
		return auth.TokenCursor{}, nil
	}
	at, id, _ := strings.Cut(text, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return auth.TokenCursor{}, errNoPage
	}
	return auth.TokenCursor{CreatedAt: time.UnixMicro(micros), ID: id}, nil
}

// walletNames returns the names of the caller's wallets by id.
func (c *call) walletNames() (map[string]string, error) {
	views, err := c.wallets()
	names := map[string]string{}
	for _, v := range views {
		names[v.ID] = v.Name
	}
	return names, err
}

// tokenTree returns rows in which each token follows its parent, if the parent is among them.
func (c *call) tokenTree(tokens []auth.Token, names map[string]string) []tokenRow {
	replaced, at := map[string]bool{}, map[string]bool{}
	for _, t := range tokens {
		at[t.ID] = true
		replaced[t.RotatedFrom] = true
	}
	children := map[string][]auth.Token{}
	for _, t := range tokens {
		parent := t.ParentID
		if !at[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], t)
	}
	var rows []tokenRow
	var add func(parent string, depth int)
	add = func(parent string, depth int) {
		for _, t := range children[parent] {
			rows = append(rows, c.tokenRowOf(t, names, min(depth, 2), replaced[t.ID]))
			add(t.ID, depth+1)
		}
	}
	add("", 0)
	return rows
}

func (c *call) tokenRowOf(t auth.Token, names map[string]string, depth int, rotated bool) tokenRow {
	row := tokenRow{Token: t, Depth: depth, Rights: c.look.rights(t.Scopes)}
	for _, id := range t.Wallets {
		if name, ok := names[id]; ok {
			row.WalletNames = append(row.WalletNames, name)
		}
	}
	slices.Sort(row.WalletNames)
	left := c.Tokens.RemainingLife(&t)
	row.Valid = left > 0
	switch {
	case left == 0 && c.Now().Before(t.ExpiresAt):
		row.State = state{"", "stop", "Unused for too long"}
	case left == 0:
		row.State = state{"", "stop", "Expired"}
	case rotated:
		row.State = state{"info", "swap", "Rotated"}
	case !c.Now().Before(auth.ExpiringAt(t.CreatedAt, t.ExpiresAt)):
		row.State = state{"warn", "clock", "Expires soon"}
	default:
		row.State = state{"ok", "check", "Active"}
	}
	return row
}

// tokenPage shows one token.
type tokenPage struct {
	Token       tokenRow
	Parent      *auth.Token // that created it; nil without one that still exists
	Predecessor *auth.Token // that it replaced
	// Ended are the tokens that are revoked together with it, and Successors the tokens that
	// replaced any of these in a rotation by a token.
	Ended, Successors []auth.TokenName
	Form              form
	Policy            []ruleText // in sentences; empty without a policy
}

func (c *call) showToken() error { return c.renderToken(c.formWith("grace", defaultGrace)) }

// renderToken shows a token with the form that rotates it, which may be refused.
func (c *call) renderToken(f form) error {
	ctx, id := c.r.Context(), c.param("id")
	t, err := c.Tokens.Get(ctx, c.who, id)
	if err != nil {
		return missing(err, auth.ErrTokenNotFound)
	}
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	p := tokenPage{Token: c.tokenRowOf(t, names, 0, strings.Contains(t.Description, " (rotated ")), Form: f}
	if t.Policy != "" {
		document, err := policy.ParseStored(policy.Token, []byte(t.Policy))
		if err != nil {
			return err
		}
		p.Policy = c.look.paragraphs(document.Describe(policy.Token, c.policyNames()))
	}
	if p.Parent, err = c.relatedToken(ctx, t.ParentID); err != nil {
		return err
	}
	if p.Predecessor, err = c.relatedToken(ctx, t.RotatedFrom); err != nil {
		return err
	}
	related, err := c.Tokens.Deletable(ctx, c.who, id)
	if err != nil {
		return missing(err, auth.ErrTokenNotFound)
	}
	p.Ended = slices.DeleteFunc(related.Ended, func(n auth.TokenName) bool { return n.ID == id })
	p.Successors = related.Kept
	return c.renderForm(f, "token", c.look.T("Access token"), p)
}

// relatedToken returns the caller's token with this id, or nil if it does not exist.
func (c *call) relatedToken(ctx context.Context, id string) (*auth.Token, error) {
	if id == "" {
		return nil, nil
	}
	t, err := c.Tokens.Get(ctx, c.who, id)
	if errors.Is(err, auth.ErrTokenNotFound) {
		return nil, nil
	}
	return &t, err
}

// missing returns errNoPage instead of an error that means that the object of the page does
// not exist.
func missing(err, notFound error) error {
	if errors.Is(err, notFound) {
		return errNoPage
	}
	return err
}

// defaultGrace is the grace period that a form proposes for a token, as the API does.
const defaultGrace = "1 hour"

func (c *call) rotateToken() error {
	id := c.param("id")
	t, err := c.Tokens.Get(c.r.Context(), c.who, id)
	if err != nil {
		return missing(err, auth.ErrTokenNotFound)
	}
	if err := c.proofFor(t.Scopes); err != nil {
		return err
	}
	grace, err := auth.ParseGracePeriod(c.duration("grace"))
	if f, ok := errors.AsType[*fault.Error](err); ok {
		err = f.ForField("grace")
	}
	var secret string
	if err == nil {
		t, secret, err = c.Tokens.RotateOnce(c.r.Context(), c.who, id, c.form.Get("description"), grace)
	}
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		return c.renderToken(c.newForm(f))
	}
	return c.showSecret(t, secret, grace)
}

// proofFor requires the password for a new token with scopes that the console guards.
func (c *call) proofFor(scopes auth.Scopes) error {
	if scopes&guardedScopes == 0 {
		return nil
	}
	return c.requireProof()
}

func (c *call) revokeToken() error {
	_, err := c.Tokens.Delete(c.r.Context(), c.who, c.param("id"), c.form.Get("successors") == "keep")
	if err != nil {
		return missing(err, auth.ErrTokenNotFound)
	}
	return c.redirect("/tokens", "token-revoked")
}
