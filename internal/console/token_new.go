package console

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/policy"
)

// newTokenPage is the form for a new token.
type newTokenPage struct {
	ruleForm

	Presets   []tokenPreset
	Groups    []scopeGroup
	Lifetimes []string
	Rule      bool // whether the fields of the rule are filled in
}

// tokenLifetimes are the lifetimes that the form for a token proposes.
var tokenLifetimes = []string{"1 day", "7 days", "30 days", "90 days", "180 days", "1 year"}

// otherLifetime is the option with which the user types the lifetime.
const otherLifetime = "other"

func (c *call) newToken() error {
	preset := c.query("preset")
	if _, ok := presetNamed(preset); !ok && preset != ownScopes {
		preset = tokenPresets[0].Name
	}
	f := c.formWith("preset", preset, "lifetime", "90 days", "reach", "all", "description", c.query("description"))
	if alias := c.query("wallet"); alias != "" {
		f.values.Set("reach", "only")
		f.values.Set("wallets", alias)
	}
	return c.renderNewToken(f)
}

// renderNewToken shows the form, which may be refused.
func (c *call) renderNewToken(f form) error {
	p := newTokenPage{Presets: tokenPresets, Groups: scopeGroupsFor(c.who), Lifetimes: tokenLifetimes, Rule: c.hasRule()}
	f.hasDocument = !p.Rule
	if p.Rule {
		f.ids = append(slices.Clone(ruleFields), tokenPolicyField)
	}
	var err error
	if p.ruleForm, err = c.newRuleForm(f, policy.Token); err != nil {
		return err
	}
	return c.renderForm(f, "token-new", c.look.T("Create token"), p)
}

func (c *call) createToken() error {
	params, err := c.tokenParams()
	if err == nil {
		err = c.proofFor(params.Scopes)
	}
	if err == nil {
		err = c.addTokenPolicy(&params)
	}
	var t auth.Token
	var secret string
	if err == nil {
		t, secret, err = c.Tokens.Create(c.r.Context(), c.who, params)
	}
	if err != nil {
		f, err := again(err)
		if err != nil {
			return err
		}
		return c.renderNewToken(c.newForm(f))
	}
	return c.showSecret(t, secret, 0)
}

// tokenPolicyField is the field with the policy of a new token, as JSON.
const tokenPolicyField = "policy"

// hasRule reports whether the form for a new token has a rule: a field that the user filled in.
func (c *call) hasRule() bool {
	return c.form.Get(reachField) == reachOnly || slices.ContainsFunc(ruleFields, func(name string) bool {
		return name != approversField && c.field(name) != ""
	})
}

// addTokenPolicy adds the policy of the form: one rule, or a document.
func (c *call) addTokenPolicy(params *auth.CreateTokenParams) error {
	text := c.field(tokenPolicyField)
	switch {
	case c.hasRule() && text != "":
		return fault.InvalidField(tokenPolicyField, "must be empty if the fields of the rule are filled in; use one of them")
	case c.hasRule():
		text = string(c.ruleDocument(policy.Token))
	case text == "":
		return nil
	}
	var err error
	params.Policy, err = c.Spending.TokenPolicy(c.r.Context(), c.who, []byte(text))
	if f, ok := errors.AsType[*fault.Error](err); ok && len(f.Fields) == 0 {
		return f.WithField(tokenPolicyField, "%s", f.Message)
	}
	return err
}

// isPolicyProblem reports whether a problem is about a field of the policy.
func isPolicyProblem(name string) bool {
	return slices.ContainsFunc([]string{"allow", "deny", "version", "change", tokenPolicyField}, func(start string) bool { return strings.HasPrefix(name, start) })
}

// tokenParams reads the form for a new token.
func (c *call) tokenParams() (auth.CreateTokenParams, error) {
	params := auth.CreateTokenParams{Description: strings.TrimSpace(c.form.Get("description"))}
	var errs [3]error
	if preset, ok := presetNamed(c.form.Get("preset")); ok {
		params.Scopes = preset.Scopes
	} else if len(c.form["scopes"]) == 0 {
		errs[0] = fault.InvalidField("scopes", "choose at least one right")
	} else {
		params.Scopes, errs[0] = auth.ParseScopes("scopes", c.form["scopes"])
	}
	lifetime := "lifetime"
	if c.form.Get(lifetime) == otherLifetime {
		lifetime = "other"
	}
	params.Lifetime, errs[1] = auth.ParseLifetime(c.duration(lifetime))
	if c.form.Get("reach") == "only" {
		params.Wallets = c.form["wallets"]
		if len(params.Wallets) == 0 {
			errs[2] = fault.InvalidField("wallets", "choose at least one wallet, or all wallets")
		}
	}
	return params, fault.JoinErrors(errs[:]...)
}

// secretPage shows the text of a new token, once.
type secretPage struct {
	Token       tokenRow
	Secret      string
	Command     string    // that uses the token
	CommandLine string    // commands of specterd that use the token
	OldUntil    time.Time // when the token that it replaced ends; zero if it has ended
	Rotated     bool
	APIActive   bool
}

// showSecret responds with the text of a new token. The response is not stored, and the page
// cannot be requested again.
func (c *call) showSecret(t auth.Token, secret string, grace time.Duration) error {
	names, err := c.walletNames()
	if err != nil {
		return err
	}
	p := secretPage{
		Token: c.tokenRowOf(t, names, 0, false), Secret: secret, Command: c.curl(t, secret), CommandLine: c.commandLine(t, secret),
		Rotated: t.RotatedFrom != "", APIActive: c.APIActive,
	}
	if grace > 0 {
		p.OldUntil = c.Now().Add(grace)
		if p.OldUntil.After(t.ExpiresAt) {
			p.OldUntil = t.ExpiresAt
		}
	}
	title := c.look.T("Token created")
	if p.Rotated {
		title = c.look.T("Token rotated")
	}
	return c.render("token-secret", title, p)
}

// curl returns a command that makes a request with a token, which the token permits and
// which changes nothing.
func (c *call) curl(t auth.Token, secret string) string {
	path := "/api/v1/tokens/self"
	for _, try := range []struct {
		scope auth.Scopes
		path  string
	}{{auth.WalletsRead, "/api/v1/wallets"}, {auth.NodeRead, "/api/v1/node"}} {
		if t.Scopes.Has(try.scope) {
			path = try.path
			break
		}
	}
	if t.Scopes.Has(auth.WalletsRead) && len(t.Aliases) == 1 && plainAlias(t.Aliases[0]) {
		path = "/api/v1/wallets/" + t.Aliases[0]
	}
	return "TOKEN=" + secret + "\ncurl -sS -H \"Authorization: Bearer $TOKEN\" " + c.origin() + path
}

// commandLine returns commands that store a token in a file, and use it in a command of specterd that
// it permits and that changes nothing.
func (c *call) commandLine(t auth.Token, secret string) string {
	server, command := c.origin(), "whoami"
	if t.Scopes.Has(auth.WalletsRead) {
		command = "wallet list"
	}
	if u, err := url.Parse(server); err == nil && config.IsUnencrypted(u) {
		server += " --allow-http" // as the page itself was requested
	}
	return "(umask 077 && echo " + secret + " > specterd.token)\nspecterd --server " + server + " --token-file specterd.token " + command
}

// plainAlias reports whether an alias needs no escaping in a URL and in a shell.
func plainAlias(alias string) bool {
	return !slices.ContainsFunc([]byte(alias), func(b byte) bool {
		return b != '_' && b != '-' && (b < '0' || b > '9') && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z')
	})
}
