package console

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/spending"
)

// ruleFields are the fields of the form of one rule, named as the parser names them in problems.
// Those of a part, such as a recipient, belong to the longest prefix.
var ruleFields = []string{
	"allow[0].name", "allow[0].to", "allow[0].max_payment_sat", "allow[0].windows[0].per", "allow[0].windows[0].max_sat", "allow[0].windows[0].max_count",
	"allow[0].fee.max_sat_vb", "allow[0].fee.max_sat", "allow[0].fee.max_percent", "allow[0].hours.zone", "allow[0].hours.days", "allow[0].hours.from", "allow[0].hours.to",
	"allow[0].approvals.count", "allow[0].approvals.of", "allow[0].approvals.above_sat", "allow[0].delay", "change.approvals", "change.delay",
}

// Choices of the recipients in the form of one rule.
const (
	reachField     = "to.reach" // not reach, which is a field of the form of a token
	reachOnly      = "only"
	walletsField   = "to.wallets"
	addressesField = "to.addresses"
	listsField     = "to.lists"
	proposerField  = "allow[0].approvals.not_proposer"
	approversField = "allow[0].approvals.of"
)

// policyPreset is a policy with which the form begins.
type policyPreset struct {
	Name, Title, Text string     // Text has a placeholder for Amount
	Amount            btc.Amount // 0 if Text has none
	fields            []string   // pairs of a name and a value
}

var policyPresets = []policyPreset{
	{"petty-cash", "Petty cash", "At most %s within 7 days, to any recipient.", 1_000_000, []string{
		"allow[0].name", "petty cash", "allow[0].windows[0].per", "7d", "allow[0].windows[0].max_sat", "1000000",
	}},
	{"own-wallets", "Only to own wallets", "Payments only to wallets that you choose, such as a cold one.", 0, []string{
		"allow[0].name", "own wallets", reachField, reachOnly,
	}},
	{"two-approvals", "Two approvals above an amount", "Payments above %s need two signers besides the proposer; at most 5 payments within 24 hours.", 1_000_000, []string{
		"allow[0].name", "two approvals", "allow[0].approvals.count", "2", "allow[0].approvals.of", "role:signer", proposerField, "1",
		"allow[0].approvals.above_sat", "1000000", "allow[0].windows[0].per", "24h", "allow[0].windows[0].max_count", "5",
	}},
}

func policyPresetNamed(name string) (policyPreset, bool) {
	i := slices.IndexFunc(policyPresets, func(p policyPreset) bool { return p.Name == name })
	if i < 0 {
		return policyPreset{}, false
	}
	return policyPresets[i], true
}

func (p policyPreset) values() url.Values {
	values := url.Values{}
	for i := 0; i+1 < len(p.fields); i += 2 {
		values.Set(p.fields[i], p.fields[i+1])
	}
	return values
}

// object is a JSON object that is built from the fields of the form.
type object map[string]any

// set sets a member, unless the value is empty.
func (o object) set(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case object:
		if len(v) == 0 {
			return
		}
	}
	o[name] = value
}

var plainNumber = regexp.MustCompile(`^(0|[1-9]\d*)(\.\d+)?$`)

// number returns a field as a JSON number. Anything else becomes a text, which the parser refuses
// with the range of the field.
func (c *call) number(name string) any {
	text := strings.NewReplacer(" ", "", string(narrowSpace), "").Replace(c.form.Get(name))
	if plainNumber.MatchString(text) {
		return json.RawMessage(text)
	}
	return text
}

func (c *call) field(name string) string { return strings.TrimSpace(c.form.Get(name)) }

// ruleDocument returns the document of the fields of one rule.
func (c *call) ruleDocument(kind policy.Kind) []byte {
	const at = "allow[0]."
	rule := object{"name": c.field(at + "name")}
	if c.form.Get(reachField) == reachOnly {
		rule["to"] = c.ruleTargets()
	}
	rule.set("max_payment_sat", c.number(at+"max_payment_sat"))
	window := object{}
	window.set("per", c.policyDuration(at+"windows[0].per"))
	window.set("max_sat", c.number(at+"windows[0].max_sat"))
	window.set("max_count", c.number(at+"windows[0].max_count"))
	if window["max_sat"] != nil || window["max_count"] != nil {
		rule["windows"] = []object{window}
	}
	fee := object{}
	for _, name := range []string{"max_sat_vb", "max_sat", "max_percent"} {
		fee.set(name, c.number(at+"fee."+name))
	}
	rule.set("fee", fee)
	rule.set("hours", c.ruleHours())
	approvals := object{}
	if count := c.number(at + "approvals.count"); count != "" {
		approvals["count"] = count
		if of := c.form[at+"approvals.of"]; len(of) > 0 {
			approvals["of"] = of
		}
		approvals.set("above_sat", c.number(at+"approvals.above_sat"))
		if c.form.Has(proposerField) {
			approvals["not_proposer"] = true
		}
	}
	rule.set("approvals", approvals)
	rule.set("delay", c.policyDuration(at+"delay"))
	document := object{"version": 1, "allow": []object{rule}}
	if kind == policy.Wallet || kind == policy.Server {
		change := object{}
		change.set("approvals", c.number("change.approvals"))
		change.set("delay", c.policyDuration("change.delay"))
		document.set("change", change)
	}
	text, err := json.Marshal(document)
	if err != nil { // only texts and numbers
		panic(err)
	}
	return text
}

// ruleTargets returns the chosen recipients.
func (c *call) ruleTargets() []object {
	targets := []object{}
	for _, alias := range c.form[walletsField] {
		targets = append(targets, object{"wallet": alias})
	}
	for _, address := range strings.Fields(c.form.Get(addressesField)) {
		targets = append(targets, object{"address": address})
	}
	for _, name := range c.form[listsField] {
		targets = append(targets, object{"list": name})
	}
	return targets
}

func (c *call) ruleHours() object {
	const at = "allow[0].hours."
	hours := object{}
	hours.set("from", c.field(at+"from"))
	hours.set("to", c.field(at+"to"))
	if days := c.form[at+"days"]; len(days) > 0 {
		hours["days"] = days
	}
	if len(hours) > 0 {
		hours["zone"] = c.field(at + "zone")
		if hours["from"] == nil && hours["to"] == nil {
			hours["from"], hours["to"] = "00:00", "24:00"
		}
	}
	return hours
}

// shownRule is a document with one rule.
type shownRule struct {
	Allow []struct {
		Name          string
		To            []struct{ Wallet, Address, List string }
		MaxPaymentSat json.Number `json:"max_payment_sat"`
		Windows       []struct {
			Per      string
			MaxSat   json.Number `json:"max_sat"`
			MaxCount json.Number `json:"max_count"`
		}
		Fee   map[string]json.Number
		Hours struct {
			Zone, From, To string
			Days           []string
		}
		Approvals struct {
			Count       json.Number
			Of          []string
			NotProposer bool        `json:"not_proposer"`
			AboveSat    json.Number `json:"above_sat"`
		}
		Delay string
	}
	Change struct {
		Approvals json.Number
		Delay     string
	}
}

// ruleValues returns a policy as the fields of one rule. It reports false if they cannot express
// it.
func (c *call) ruleValues(at policyAt, p *spending.Policy) (url.Values, bool) {
	var shown shownRule
	if json.Unmarshal(p.JSON(), &shown) != nil || len(shown.Allow) != 1 || len(shown.Allow[0].Windows) > 1 {
		return nil, false
	}
	r, v := shown.Allow[0], url.Values{versionField: {p.Version}}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("allow[0].name", r.Name)
	set("allow[0].max_payment_sat", string(r.MaxPaymentSat))
	if p.Allow[0].To != nil {
		v.Set(reachField, reachOnly)
	}
	for _, t := range r.To {
		for name, value := range map[string]string{walletsField: t.Wallet, addressesField: t.Address, listsField: t.List} {
			if value != "" {
				v.Add(name, value)
			}
		}
	}
	if all := v[addressesField]; len(all) > 0 {
		v.Set(addressesField, strings.Join(all, "\n"))
	}
	for _, w := range r.Windows {
		set("allow[0].windows[0].per", w.Per)
		set("allow[0].windows[0].max_sat", string(w.MaxSat))
		set("allow[0].windows[0].max_count", string(w.MaxCount))
	}
	for name, value := range r.Fee {
		set("allow[0].fee."+name, string(value))
	}
	set("allow[0].hours.zone", r.Hours.Zone)
	set("allow[0].hours.from", r.Hours.From)
	set("allow[0].hours.to", r.Hours.To)
	v["allow[0].hours.days"] = r.Hours.Days
	set("allow[0].approvals.count", string(r.Approvals.Count))
	v["allow[0].approvals.of"] = r.Approvals.Of
	set("allow[0].approvals.above_sat", string(r.Approvals.AboveSat))
	if r.Approvals.NotProposer {
		v.Set(proposerField, "1")
	}
	set("allow[0].delay", r.Delay)
	set("change.approvals", string(shown.Change.Approvals))
	set("change.delay", shown.Change.Delay)
	return v, c.expresses(at, v, p)
}

// expresses reports whether the form with these values is exactly a policy.
func (c *call) expresses(at policyAt, values url.Values, p *spending.Policy) bool {
	other := *c
	other.form = values
	var made, current any
	err := json.Unmarshal(other.ruleDocument(at.Kind), &made)
	if err == nil {
		err = json.Unmarshal(p.JSON(), &current)
	}
	if err != nil {
		return false
	}
	first, err := json.Marshal(made)
	second, other2 := json.Marshal(current)
	return err == nil && other2 == nil && bytes.Equal(first, second)
}

// policyField returns the name of a field of a policy for people.
func (l *look) policyField(name string) string {
	for _, pattern := range []string{"allow[0]." + name, name} {
		pattern = indexInName.ReplaceAllString(pattern, "[]")
		if text, ok := fieldNames[pattern]; ok && !strings.Contains(text, "%d") {
			return l.T(text)
		}
	}
	return name
}

// idOf returns the field of the form to which a problem belongs.
func idOf(ids []string, name string) string {
	best := ""
	for _, id := range ids {
		rest, ok := strings.CutPrefix(name, id)
		if ok && len(id) > len(best) && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			best = id
		}
	}
	if best == "" {
		for _, id := range ids { // a problem of a whole object belongs to its first field
			if strings.HasPrefix(id, name+".") {
				return id
			}
		}
		return name
	}
	return best
}

// policyInput is an input of the form of one rule.
type policyInput struct {
	form

	Name, Title, Hint string
	Extra             template.HTMLAttr
}

// Value returns the value of the input.
func (i policyInput) Value() string { return i.form.Value(i.Name) }

// Attr returns the attributes that refer to the problem of the input.
func (i policyInput) Attr() template.HTMLAttr { return i.form.Attr(i.Name) }

// Err returns the problem of the input.
func (i policyInput) Err() template.HTML { return i.form.Err(i.Name) }

// policyHints are the hints of inputs in templates.
var policyHints = []string{
	"sat, without the fee", "such as 24h, 1 day or 7 days", "sat, with fees", "sat/vB", "sat", "of the payment", "sat; empty for every payment",
	"before a payment can be signed", "including the member who requests it", "such as 48h or 2 days",
}

// policyInput returns an input of the form of one rule. Extra are attributes.
func (l *look) policyInput(f form, name, extra, hint string) policyInput {
	if hint != "" {
		hint = l.T(hint)
	}
	return policyInput{f, name, l.fieldName(name), hint, template.HTMLAttr(extra)} //nolint:gosec // constants in templates
}

var groupNames = map[string]string{
	"role:proposer": "Proposers, signers and owners", "role:signer": "Signers and owners", "role:owner": "Owners", "role:admin": "Admins of the server",
}

func (l *look) policyGroup(name string) string { return l.T(groupNames[name]) }
