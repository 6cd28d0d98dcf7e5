package policy

import (
	"slices"
	"strings"
)

// Paragraph describes a part of a policy in sentences.
type Paragraph struct {
	Rule      string // the name of the rule; empty for deny, change and a policy without rules
	Sentences []Sentence
}

// String returns the sentences in English.
func (p Paragraph) String() string {
	texts := make([]string, len(p.Sentences))
	for i, s := range p.Sentences {
		texts[i] = s.String()
	}
	return strings.Join(texts, " ")
}

// Names provides names for sentences.
type Names struct {
	// Wallet returns the name of a wallet, or an empty string if the reader cannot see it or
	// it does not exist.
	Wallet func(id string) string
}

// Describe returns the policy in sentences, one paragraph for each rule.
func (p Policy) Describe(kind Kind, names Names) []Paragraph {
	var all []Paragraph
	switch {
	case p.Allow == nil:
		all = append(all, Paragraph{Sentences: []Sentence{say("All payments are permitted.")}})
	case len(p.Allow) == 0:
		all = append(all, Paragraph{Sentences: []Sentence{say("No payments are permitted.")}})
	}
	for i := range p.Allow {
		all = append(all, Paragraph{Rule: p.Allow[i].Name, Sentences: p.Allow[i].describe(names)})
	}
	if len(p.Deny) > 0 {
		all = append(all, Paragraph{Sentences: []Sentence{say("Payments %s are never permitted.", names.targets(p.Deny))}})
	}
	if p.Change != nil {
		all = append(all, Paragraph{Sentences: p.Change.describe(kind)})
	}
	return all
}

func (r *Rule) describe(names Names) []Sentence {
	said := []Sentence{say("%s: %s.", r.Name, r.recipients(names))}
	if r.MaxPayment != nil {
		said = append(said, say("A payment is at most %s.", *r.MaxPayment))
	}
	if r.MaxRecipients != nil {
		said = append(said, say("A payment has at most %s.", counted(*r.MaxRecipients, "1 recipient", "%d recipients")))
	}
	for _, w := range r.Windows {
		said = append(said, w.describe())
	}
	if limits := r.Fee.limits(); len(limits) > 0 {
		said = append(said, say("The fee is at most %s.", Enumeration{Parts: limits}))
	}
	if r.Hours != nil {
		said = append(said, r.Hours.describe())
	}
	if r.Confirmations > 0 {
		said = append(said, say("Only UTXOs with at least %s are spent.", confirmations(r.Confirmations)))
	}
	if r.KeepAtLeast != nil {
		said = append(said, say("At least %s remains in the wallet.", *r.KeepAtLeast))
	}
	if r.Approvals != nil {
		said = append(said, r.Approvals.Describe())
	}
	if r.Delay > 0 {
		said = append(said, say("A payment waits for %s before it can be signed.", r.Delay))
	}
	return said
}

func (r *Rule) recipients(names Names) Sentence {
	switch {
	case r.To == nil:
		return say("payments to any recipient")
	case len(r.To) == 0:
		return say("no payments, because the list of recipients is empty")
	}
	return say("payments %s", names.targets(r.To))
}

// targets describes targets: "to the address bc1q… or to the wallet Cold".
func (n Names) targets(targets []Target) Enumeration {
	parts := make([]Sentence, len(targets))
	for i := range targets {
		parts[i] = n.Target(&targets[i])
	}
	return Enumeration{Parts: parts, Or: true}
}

// Target returns the recipients of a target as a part of a sentence.
func (n Names) Target(t *Target) Sentence {
	switch {
	case t.Address != "":
		return say("to the address %s", t.Address)
	case t.List != "":
		return say("to the list %s", t.List)
	case t.Descriptor != "":
		return say("to the first %d addresses of the descriptor %s", int(t.UpTo), t.Descriptor)
	}
	if n.Wallet != nil {
		if name := n.Wallet(t.WalletID); name != "" {
			return say("to addresses of the wallet %s", name)
		}
	}
	return say("to addresses of a wallet that you cannot see or that was deleted (%s)", t.WalletID)
}

func (w Window) describe() Sentence {
	var limits []Sentence
	if w.MaxSat != nil {
		limits = append(limits, say("at most %s including fees", *w.MaxSat))
	}
	if w.MaxCount != nil {
		limits = append(limits, counted(*w.MaxCount, "at most 1 payment", "at most %d payments"))
	}
	return say("Within %s: %s.", w.Per, Enumeration{Parts: limits})
}

func (f *Fee) limits() []Sentence {
	var limits []Sentence
	if f.MaxRate != nil {
		limits = append(limits, say("%s sat/vB", *f.MaxRate))
	}
	if f.Max != nil {
		limits = append(limits, say("%s", *f.Max))
	}
	if f.MaxPercent != nil {
		limits = append(limits, say("%d %% of the payment", *f.MaxPercent))
	}
	return limits
}

// dayNames are the names of days in sentences, from Monday.
var dayNames = []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

// describe describes hours: "Payments are made only from Monday to Friday, from 08:00 to
// 18:00 (Europe/Zurich)."
func (h *Hours) describe() Sentence {
	zone, allDay := h.Zone.String(), h.From == 0 && h.To == day
	switch days := h.days(); {
	case h.Days != nil && len(h.Days) == 0:
		return say("No payments are made, because the list of days is empty.")
	case allDay && days == nil:
		return say("Payments are made at any time.")
	case allDay:
		return say("Payments are made only %s (%s).", *days, zone)
	case days == nil:
		return say("Payments are made only from %s to %s (%s).", clockText(h.From), clockText(h.To), zone)
	default:
		return say("Payments are made only %s, from %s to %s (%s).", *days, clockText(h.From), clockText(h.To), zone)
	}
}

// days describes days, which are in order, and returns nil for every day.
func (h *Hours) days() *Sentence {
	last := len(h.Days) - 1
	if h.Days == nil || len(h.Days) == len(dayNames) {
		return nil
	}
	name := func(i int) Sentence { return say(dayNames[position(h.Days[i])]) }
	if last >= 2 && position(h.Days[last])-position(h.Days[0]) == last {
		days := say("from %s to %s", name(0), name(last))
		return &days
	}
	parts := make([]Sentence, len(h.Days))
	for i := range parts {
		parts[i] = name(i)
	}
	days := say("on %s", Enumeration{Parts: parts})
	return &days
}

// members describes groups, each role with the roles that include it: "signers, owners or the user
// bob".
func members(groups []Group) Enumeration {
	plural := map[string]Sentence{"proposer": say("proposers"), "signer": say("signers"), "owner": say("owners"), "admin": say("admins")}
	var parts []Sentence
	for _, role := range append(slices.Clone(roles), "admin") {
		if slices.ContainsFunc(groups, func(g Group) bool { return g.includes(Group{Role: role}) }) {
			parts = append(parts, plural[role])
		}
	}
	for _, g := range groups {
		if g.User != "" {
			parts = append(parts, say("the user %s", g.User))
		}
	}
	return Enumeration{Parts: parts, Or: true}
}

// Describe returns the approvals as a sentence.
func (a *Approvals) Describe() Sentence {
	approvals := counted(a.Count, "1 approval", "%d approvals")
	if len(a.Groups()) == 0 {
		return say("A payment requires %s, which no member can give, because the list of approvers is empty.", approvals)
	}
	by := say("%s", members(a.Groups()))
	if a.NotProposer {
		by = say("%s, but not by the user who proposed it", by)
	}
	if a.Above > 0 {
		return say("A payment of more than %s requires %s by %s.", a.Above, approvals, by)
	}
	return say("A payment requires %s by %s.", approvals, by)
}

func (c *Change) describe(kind Kind) []Sentence {
	var said []Sentence
	approvals := counted(c.Approvals, "1 approval", "%d approvals")
	switch groups := c.Groups(kind); {
	case c.Approvals > 0 && len(groups) == 0:
		said = append(said, say("A change that loosens the policy requires %s, which no member can give, because the list of approvers is empty.", approvals))
	case c.Approvals > 0:
		said = append(said, say("A change that loosens the policy requires %s by %s.", approvals, members(groups)))
	}
	if c.Delay > 0 {
		said = append(said, say("A change that loosens the policy takes effect after %s.", c.Delay))
	}
	if len(said) == 0 {
		said = append(said, say("A change that loosens the policy takes effect at once."))
	}
	return slices.Clip(said)
}
