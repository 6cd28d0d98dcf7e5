package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Limits of a document.
const (
	MaxRules       = 200
	MaxTargets     = 100  // of a rule, and of deny
	MaxWindows     = 5    // of a rule
	MaxDescriptors = 20   // of a document, and of all lists of a wallet together
	MaxEntries     = 1000 // of a list
	MaxUpTo        = 10_000

	maxName          = 64
	maxLabel         = 255
	maxGroups        = 20
	maxApprovals     = 100
	maxRecipients    = 10_000
	maxCount         = 1_000_000
	maxConfirmations = 10_000
	maxDuration      = 366 * 24 * time.Hour
)

// Parser reads documents.
type Parser struct {
	Kind    Kind // of the policy; server policies cannot name lists, and tokens and members have no change
	Network btc.Network
	// WalletID returns the id of the wallet that a document names. If it is nil, documents
	// are in the form of Canonical, with ids: addresses and descriptors are not checked again.
	WalletID func(name string) (string, error)
}

// ParseStored reads a policy in the form of Canonical.
func ParseStored(kind Kind, data []byte) (Policy, error) { return Parser{Kind: kind}.Policy(data) }

// ParseStoredList reads the entries of a list in the form of CanonicalList.
func ParseStoredList(data []byte) ([]Target, error) { return Parser{Kind: Wallet}.List(data) }

// Policy reads a policy. It returns a fault with all problems, each about a field such as
// allow[0].windows[1].per.
func (p Parser) Policy(data []byte) (Policy, error) {
	v, err := readValue("policy", data)
	if err != nil {
		return Policy{}, err
	}
	r := reader{Parser: p}
	out := r.policy(v)
	if err := fault.JoinErrors(r.errs...); err != nil {
		return Policy{}, err
	}
	return out, nil
}

// List reads the entries of a list. It returns a fault with all problems.
func (p Parser) List(data []byte) ([]Target, error) {
	v, err := readValue("list", data)
	if err != nil {
		return nil, err
	}
	r := reader{Parser: p}
	entries := []Target{}
	present := r.object("", v, []field{{"entries", func(path string, v value) {
		r.array(path, v, MaxEntries, "entries", func(path string, v value) { entries = append(entries, r.target(path, v, true)) })
	}}})
	r.require("", v, present, "entries")
	if err := fault.JoinErrors(r.errs...); err != nil {
		return nil, err
	}
	return entries, nil
}

// CheckLists returns a fault if the lists of a wallet have more than MaxDescriptors descriptors
// together: deriving their addresses takes up to half a second for each.
func CheckLists(lists Lists) error {
	n := 0
	for _, entries := range lists {
		for i := range entries {
			if entries[i].Descriptor != "" {
				n++
			}
		}
	}
	if n > MaxDescriptors {
		return fault.New(fault.Invalid, "invalid_policy", "the lists of a wallet can have %d descriptors together; they would have %d", MaxDescriptors, n)
	}
	return nil
}

// reader reads one document.
type reader struct {
	Parser
	problems
	descriptors int
}

func (r *reader) policy(v value) Policy {
	var p Policy
	fields := []field{
		{"version", func(path string, v value) {
			if v.kind != '0' || v.text != "1" {
				r.add(path, "must be 1")
			}
		}},
		{"allow", func(path string, v value) {
			p.Allow = []Rule{}
			r.array(path, v, MaxRules, "rules", func(path string, v value) { p.Allow = append(p.Allow, r.rule(path, v)) })
		}},
		{"deny", func(path string, v value) { p.Deny = r.targets(path, v) }},
	}
	if r.Kind == Server || r.Kind == Wallet {
		fields = append(fields, field{"change", func(path string, v value) { p.Change = r.change(path, v) }})
	}
	present := r.object("", v, fields)
	r.require("", v, present, "version")
	r.distinct(p.Allow)
	return p
}

// distinct reports rules with the name of an earlier rule.
func (r *reader) distinct(rules []Rule) {
	first := map[string]int{}
	for i, rule := range rules {
		if j, ok := first[rule.Name]; ok && rule.Name != "" {
			r.add("allow["+strconv.Itoa(i)+"].name", "is also the name of allow[%d]", j)
			continue
		}
		first[rule.Name] = i
	}
}

func (r *reader) rule(path string, v value) Rule {
	var rule Rule
	present := r.object(path, v, []field{
		{"name", func(path string, v value) { rule.Name = r.name(path, v, "to cold storage") }},
		{"to", func(path string, v value) { rule.To = r.targets(path, v) }},
		{"max_payment_sat", func(path string, v value) { rule.MaxPayment = r.amount(path, v) }},
		{"max_recipients", func(path string, v value) { rule.MaxRecipients = r.count(path, v, maxRecipients) }},
		{"windows", func(path string, v value) {
			r.array(path, v, MaxWindows, "windows", func(path string, v value) { rule.Windows = append(rule.Windows, r.window(path, v)) })
		}},
		{"fee", func(path string, v value) { rule.Fee = r.fee(path, v) }},
		{"hours", func(path string, v value) { rule.Hours = r.hours(path, v) }},
		{"coins", func(path string, v value) {
			present := r.object(path, v, []field{{"confirmations", func(path string, v value) {
				n, _ := r.integer(path, v, 1, maxConfirmations, "")
				rule.Confirmations = int(n)
			}}})
			r.require(path, v, present, "confirmations")
		}},
		{"keep_at_least_sat", func(path string, v value) { rule.KeepAtLeast = r.amount(path, v) }},
		{"approvals", func(path string, v value) { rule.Approvals = r.approvals(path, v) }},
		{"delay", func(path string, v value) { rule.Delay = r.duration(path, v) }},
	})
	r.require(path, v, present, "name")
	return rule
}

func (r *reader) window(path string, v value) Window {
	var w Window
	present := r.object(path, v, []field{
		{"per", func(path string, v value) { w.Per = r.duration(path, v) }},
		{"max_sat", func(path string, v value) { w.MaxSat = r.amount(path, v) }},
		{"max_count", func(path string, v value) { w.MaxCount = r.count(path, v, maxCount) }},
	})
	r.require(path, v, present, "per")
	if v.kind == '{' && !present["max_sat"] && !present["max_count"] {
		r.add(path, "must have max_sat, max_count or both")
	}
	return w
}

func (r *reader) fee(path string, v value) Fee {
	var f Fee
	present := r.object(path, v, []field{
		{"max_sat_vb", func(path string, v value) {
			rate, err := btc.ParseFeeRate(v.text)
			if v.kind != '0' || err != nil {
				r.add(path, "must be a number of sat/vB above 0 and up to %s, with at most three decimals", btc.MaxFeeRate)
				return
			}
			f.MaxRate = &rate
		}},
		{"max_sat", func(path string, v value) { f.Max = r.amount(path, v) }},
		{"max_percent", func(path string, v value) { f.MaxPercent = r.count(path, v, 100) }},
	})
	if v.kind == '{' && len(present) == 0 {
		r.add(path, "must have at least one of max_sat_vb, max_sat and max_percent")
	}
	return f
}

func (r *reader) approvals(path string, v value) *Approvals {
	var a Approvals
	present := r.object(path, v, []field{
		{"count", func(path string, v value) {
			n, _ := r.integer(path, v, 1, maxApprovals, "")
			a.Count = int(n)
		}},
		{"of", func(path string, v value) { a.Of = r.groups(path, v, false) }},
		{"not_proposer", func(path string, v value) { a.NotProposer = r.bool(path, v) }},
		{"above_sat", func(path string, v value) {
			if amount := r.amount(path, v); amount != nil {
				a.Above = *amount
			}
		}},
	})
	r.require(path, v, present, "count")
	return &a
}

func (r *reader) change(path string, v value) *Change {
	var c Change
	present := r.object(path, v, []field{
		{"approvals", func(path string, v value) {
			n, _ := r.integer(path, v, 0, maxApprovals, "")
			c.Approvals = int(n)
		}},
		{"of", func(path string, v value) { c.Of = r.groups(path, v, true) }},
		{"delay", func(path string, v value) { c.Delay = r.duration(path, v) }},
	})
	if v.kind == '{' && !present["approvals"] && !present["delay"] {
		r.add(path, "must have approvals, delay or both")
	}
	return &c
}

// groups reads the members who can approve: payments, or changes of the policy.
func (r *reader) groups(path string, v value, change bool) []Group {
	roles := []string{"proposer", "signer", "owner"}
	switch {
	case r.Kind == Server && change:
		roles = []string{"admin"}
	case r.Kind == Server:
		roles = append(roles, "admin")
	}
	groups := []Group{}
	r.array(path, v, maxGroups, "groups", func(path string, v value) {
		name, ok := r.string(path, v, "role:"+roles[len(roles)-1])
		if !ok {
			return
		}
		var g Group
		if role, ok := strings.CutPrefix(name, "role:"); ok && slices.Contains(roles, role) {
			g.Role = role
		} else if user, ok := strings.CutPrefix(name, "user:"); ok && nameProblem(user) == "" {
			g.User = user
		} else {
			r.add(path, `must be "role:" with one of the roles %s, or "user:" with the name of a user`, strings.Join(roles, ", "))
			return
		}
		if slices.Contains(groups, g) {
			r.add(path, "occurs twice")
			return
		}
		groups = append(groups, g)
	})
	return groups
}

func (r *reader) targets(path string, v value) []Target {
	targets := []Target{}
	r.array(path, v, MaxTargets, "targets", func(path string, v value) { targets = append(targets, r.target(path, v, false)) })
	return targets
}

// target reads a target of a rule, or an entry of a list.
func (r *reader) target(path string, v value, entry bool) Target {
	var t Target
	kinds := []field{
		{"address", func(path string, v value) { t.Address = r.address(path, v) }},
		{"wallet", func(path string, v value) { t.WalletID = r.wallet(path, v) }},
		{"descriptor", func(path string, v value) { t.Descriptor = r.descriptor(path, v) }},
	}
	if !entry && r.Kind != Server {
		kinds = append(kinds, field{"list", func(path string, v value) { t.List = r.name(path, v, "suppliers") }})
	}
	fields := append(slices.Clone(kinds), field{"up_to", func(path string, v value) {
		n, _ := r.integer(path, v, 1, MaxUpTo, "")
		t.UpTo = uint32(n) //nolint:gosec // at most MaxUpTo
	}})
	if entry {
		fields = append(fields, field{"label", func(path string, v value) { t.Label = r.label(path, v) }})
	}
	present := r.object(path, v, fields)
	set, names := 0, make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
		if present[k.name] {
			set++
		}
	}
	switch {
	case v.kind != '{':
	case set != 1:
		r.add(path, "must have exactly one of %s", text.List(names, "and"))
	case present["descriptor"]:
		r.require(path, v, present, "up_to")
	case present["up_to"]:
		r.add(join(path, "up_to"), "belongs only to a descriptor")
	}
	return t
}

func (r *reader) address(path string, v value) string {
	address, ok := r.string(path, v, "bc1q…")
	if !ok || r.stored() {
		return r.nonEmpty(path, address, ok)
	}
	address, err := btc.ParseAddress(address, r.Network)
	r.reject(path, err)
	return address
}

func (r *reader) wallet(path string, v value) string {
	name, ok := r.string(path, v, "cold")
	if !ok || r.stored() {
		return r.nonEmpty(path, name, ok)
	}
	id, err := r.WalletID(name)
	r.reject(path, err)
	return id
}

func (r *reader) descriptor(path string, v value) string {
	if r.descriptors++; r.descriptors == MaxDescriptors+1 {
		r.add(path, "is one descriptor too many; a document can have %d", MaxDescriptors)
	}
	descriptor, ok := r.string(path, v, "wpkh([d34db33f/84h/0h/0h]xpub…/0/*)")
	if !ok || r.stored() || r.descriptors > MaxDescriptors {
		return r.nonEmpty(path, descriptor, ok)
	}
	d, err := btc.ParseDescriptor(descriptor, r.Network)
	if err != nil {
		r.reject(path, err)
		return ""
	}
	return d.String()
}

func (r *reader) stored() bool { return r.WalletID == nil }

func (r *reader) nonEmpty(path, s string, ok bool) string {
	if ok && s == "" {
		r.add(path, "must not be empty")
	}
	return s
}

// reject adds an error of another package. A fault about fields becomes one about the path.
func (r *reader) reject(path string, err error) {
	f, ok := errors.AsType[*fault.Error](err)
	switch {
	case err == nil:
	case ok && f.Kind == fault.Invalid && len(f.Fields) > 0:
		for _, field := range f.Fields {
			r.errs = append(r.errs, fault.InvalidAs(f.Code, path, "%s", field.Message))
		}
	case ok && (f.Kind == fault.NotFound || f.Kind == fault.Invalid):
		r.errs = append(r.errs, fault.InvalidAs(f.Code, path, "%s", f.Message))
	default:
		r.errs = append(r.errs, err)
	}
}

func (r *reader) name(path string, v value, example string) string {
	name, ok := r.string(path, v, example)
	if ok {
		if problem := nameProblem(name); problem != "" {
			r.add(path, "%s", problem)
			return ""
		}
	}
	return name
}

// nameProblem returns the reason why the name of a rule, a list or a user is invalid, or an
// empty string.
func nameProblem(name string) string {
	switch n := utf8.RuneCountInString(name); {
	case n == 0 || n > maxName:
		return fmt.Sprintf("must be 1 to %d characters long", maxName)
	case strings.TrimSpace(name) != name:
		return "must not begin or end with a space"
	}
	return text.NameProblem(name)
}

// CheckListName returns a fault about a field unless the name is valid for a list.
func CheckListName(field, name string) error {
	if problem := nameProblem(name); problem != "" {
		return fault.InvalidField(field, "%s", problem)
	}
	return nil
}

func (r *reader) label(path string, v value) string {
	label, ok := r.string(path, v, "ACME Ltd")
	switch {
	case ok && utf8.RuneCountInString(label) > maxLabel:
		r.add(path, "must not be longer than %d characters", maxLabel)
	case text.Problem(label) != "":
		r.add(path, "%s", text.Problem(label))
	}
	return label
}

func (r *reader) amount(path string, v value) *btc.Amount {
	n, ok := r.integer(path, v, 0, int64(btc.MaxMoney), " of satoshis")
	if !ok {
		return nil
	}
	amount := btc.Amount(n)
	return &amount
}

func (r *reader) count(path string, v value, most int64) *int {
	n, ok := r.integer(path, v, 0, most, "")
	if !ok {
		return nil
	}
	count := int(n)
	return &count
}

// units are the units of durations, the largest first.
var units = []struct {
	name   string
	length time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}}

// DurationProblem is the problem of a text that is not a duration.
const DurationProblem = `must be a duration of "1m" to "366d": a whole number of minutes (m), hours (h) or days (d), such as "24h" or "7d"`

func (r *reader) duration(path string, v value) time.Duration {
	d, ok := parseDuration(v.text)
	if v.kind != '"' || !ok {
		r.add(path, DurationProblem)
	}
	return d
}

func parseDuration(s string) (time.Duration, bool) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 32)
		if err != nil || digits[0] < '1' || digits[0] > '9' || n > int64(maxDuration/u.length) { // before the product can overflow
			return 0, false
		}
		return time.Duration(n) * u.length, true
	}
	return 0, false
}
