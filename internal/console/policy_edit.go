package console

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/wallet"
)

// policyEditPage is the form of a policy.
type policyEditPage struct {
	policyAt
	ruleForm

	JSON   bool // whether the form is the document, and not the fields of one rule
	Simple bool // whether the fields can express the current policy
	Exists bool
	Back   string
}

// ruleForm is the part of a form with the fields of one rule.
type ruleForm struct {
	Form     form
	Wallets  []wallet.View
	Lists    []string
	Days     []dayOption
	Roles    []string
	NameAttr string // attributes of the name, which is required unless the rule is optional
}

// newRuleForm returns the fields of a rule of a policy of a kind, without lists.
func (c *call) newRuleForm(f form, kind policy.Kind) (ruleForm, error) {
	r := ruleForm{Form: f, Days: dayOptions, Roles: []string{"role:proposer", "role:signer", "role:owner"}, NameAttr: `dir="auto" maxlength="64"`}
	if kind == policy.Server {
		r.Roles = append(r.Roles, "role:admin")
	}
	if kind != policy.Token {
		r.NameAttr += " required"
	}
	var err error
	r.Wallets, err = c.wallets()
	return r, err
}

// dayOption is a day of the week in documents, and its name.
type dayOption struct{ Name, Title string }

var dayOptions = []dayOption{
	{"mon", "Monday"}, {"tue", "Tuesday"}, {"wed", "Wednesday"}, {"thu", "Thursday"}, {"fri", "Friday"}, {"sat", "Saturday"}, {"sun", "Sunday"},
}

// Fields of the form that are not fields of the document.
const (
	documentField = "document"
	versionField  = "version"
	modeField     = "mode"
	modeJSON      = "json"
)

// editPolicy shows the form with the current policy, or with a preset.
func (c *call) editPolicy() error {
	at := c.policyAt()
	current, err := c.readPolicy(at)
	if err != nil {
		return err
	}
	c.form.Set(modeField, c.query(modeField))
	switch preset, ok := policyPresetNamed(c.query("preset")); {
	case current != nil:
		c.form.Set(versionField, current.Version)
		c.fillForm(at, current)
	case ok:
		maps.Copy(c.form, preset.values())
	}
	if c.form.Get(modeField) == modeJSON && c.form.Get(documentField) == "" {
		c.form.Set(documentField, exampleDocument)
	}
	return c.renderPolicyForm(at, current, c.newForm(nil))
}

// exampleDocument is the document with which the text of a new policy begins.
const exampleDocument = `{
  "version": 1,
  "allow": [
    {
      "name": "petty cash",
      "windows": [{"per": "7d", "max_sat": 1000000}]
    }
  ]
}`

// fillForm fills in the fields with the current policy: of one rule if they can express it, and
// otherwise the document.
func (c *call) fillForm(at policyAt, current *spending.Policy) {
	var text bytes.Buffer
	if json.Indent(&text, current.JSON(), "", "  ") == nil {
		c.form.Set(documentField, text.String())
	}
	values, ok := c.ruleValues(at, current)
	if ok {
		maps.Copy(c.form, values)
	} else {
		c.form.Set(modeField, modeJSON)
	}
}

// renderPolicyForm shows the form, which may be refused.
func (c *call) renderPolicyForm(at policyAt, current *spending.Policy, f form) error {
	page := policyEditPage{policyAt: at, JSON: c.form.Get(modeField) == modeJSON, Exists: current != nil, Back: at.Base, Simple: true}
	f.raw, f.ids = page.JSON, ruleFields
	if current != nil {
		_, page.Simple = c.ruleValues(at, current)
	}
	var err error
	if page.ruleForm, err = c.newRuleForm(f, at.Kind); err != nil {
		return err
	}
	if at.Kind != policy.Server {
		lists, err := c.Spending.Lists(c.r.Context(), c.access)
		if err != nil {
			return err
		}
		for _, l := range lists {
			page.Lists = append(page.Lists, l.List)
		}
	}
	return c.renderForm(f, "policy-edit", c.look.T("Change the spending policy"), &page)
}

// reviewPolicy shows what the form changes, or the form with its problems.
func (c *call) reviewPolicy() error {
	at := c.policyAt()
	current, err := c.readPolicy(at)
	if err != nil {
		return err
	}
	if c.form.Get(actionField) == "back" {
		return c.renderPolicyForm(at, current, c.newForm(nil))
	}
	document := []byte(c.form.Get(documentField))
	if c.form.Get(modeField) != modeJSON {
		document = c.ruleDocument(at.Kind)
	}
	return c.reviewDocument(at, current, document)
}

func (c *call) reviewDocument(at policyAt, current *spending.Policy, document []byte) error {
	preview, err := c.previewPolicy(at, document)
	if err != nil {
		f, err := conflictOf(err)
		if err != nil {
			return err
		}
		return c.renderPolicyForm(at, current, c.newForm(f))
	}
	if preview.Unchanged {
		return c.redirect(at.Base, "policy-unchanged")
	}
	review, err := c.reviewOf(at, current, preview)
	if err != nil {
		return err
	}
	review.Document, review.Version, review.Hidden = string(document), c.form.Get(versionField), c.hidden()
	return c.render("policy-review", c.look.T("Check the change"), &review)
}

// hidden returns the fields of the form, to send it again.
func (c *call) hidden() (fields []hiddenField) {
	for _, name := range slices.Sorted(maps.Keys(c.form)) {
		if name == actionField || name == passwordField {
			continue
		}
		for _, value := range c.form[name] {
			fields = append(fields, hiddenField{name, value})
		}
	}
	return fields
}

func (c *call) previewPolicy(at policyAt, document []byte) (spending.Preview, error) {
	ctx := c.r.Context()
	switch at.Kind {
	case policy.Server:
		return c.Spending.PreviewPutServer(ctx, c.who, document)
	case policy.Member:
		return c.Spending.PreviewPutMember(ctx, c.access, at.User, document)
	}
	return c.Spending.PreviewPut(ctx, c.access, document)
}

// reviewDeletion shows what the deletion of a policy changes.
func (c *call) reviewDeletion() error {
	at := c.policyAt()
	current, err := c.readPolicy(at)
	if err != nil {
		return err
	}
	if current == nil {
		return c.redirect(at.Base, "")
	}
	preview, err := c.previewPolicy(at, nil)
	if err != nil {
		return missing(err, wallet.ErrMemberMissing)
	}
	review, err := c.reviewOf(at, current, preview)
	if err != nil {
		return err
	}
	review.Version = current.Version
	return c.render("policy-review", c.look.T("Check the change"), &review)
}

// savePolicy makes the change that was reviewed: the policy becomes the document, or is deleted
// if that is empty.
func (c *call) savePolicy() error {
	at := c.policyAt()
	document, expected := strings.TrimSpace(c.form.Get(documentField)), spending.Versions{c.form.Get(versionField)}
	deletes := c.form.Get(actionField) == "delete"
	result, err := c.putPolicy(at, document, deletes, expected)
	if err != nil {
		f, err := conflictOf(err)
		if err != nil {
			return err
		}
		return c.renderPolicy(c.newForm(f))
	}
	switch {
	case result.Pending != nil:
		return c.redirect(at.Base, "policy-requested")
	case result.Unchanged:
		return c.redirect(at.Base, "policy-unchanged")
	case deletes:
		return c.redirect(at.Base, "policy-deleted")
	}
	return c.redirect(at.Base, "policy-saved")
}

func (c *call) putPolicy(at policyAt, document string, deletes bool, expected spending.Versions) (spending.Result, error) {
	ctx := c.r.Context()
	switch {
	case at.Kind == policy.Server && deletes:
		return c.Spending.DeleteServer(ctx, c.who, expected)
	case at.Kind == policy.Server:
		return c.Spending.PutServer(ctx, c.who, []byte(document), expected)
	case at.Kind == policy.Member && deletes:
		return c.Spending.DeleteMember(ctx, c.access, at.User, expected)
	case at.Kind == policy.Member:
		return c.Spending.PutMember(ctx, c.access, at.User, []byte(document), expected)
	case deletes:
		return c.Spending.Delete(ctx, c.access, expected)
	}
	return c.Spending.Put(ctx, c.access, []byte(document), expected)
}
