package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// Limits of a Coldcard in HSM mode (shared/hsm.py, usb.py and public_constants.py of its
// firmware). Of the models with current firmware, only the Mk4 has the mode.
const (
	coldcardMaxSize   = 200_000 // bytes
	coldcardMaxPeriod = 3 * 24 * time.Hour
	coldcardMaxName   = 20 // of a multisig wallet
	coldcardMaxUser   = 16
	coldcardMaxNotes  = 80
)

// ColdcardOptions describes how a Coldcard knows a wallet.
type ColdcardOptions struct {
	Network btc.Network
	// Multisig is the name of the multisig wallet on the device; empty for a wallet with one
	// signature.
	Multisig string
	// Addresses returns the addresses of another wallet, which become a list on the device.
	// It may be nil: the device then permits no payments to wallets.
	Addresses func(walletID string) []string
	Lists     Lists
}

// Gap is a part of a policy that a device does not enforce, or enforces in another way.
type Gap struct {
	Rule    string // empty for the policy
	Field   string
	Message Sentence
}

// ColdcardHSM returns a policy for the HSM mode of a Coldcard as JSON, and the gaps between
// both. The device may refuse payments that the policy permits. A rule with recipients has
// no others on the device; denied recipients are not denied there.
func ColdcardHSM(p Policy, o ColdcardOptions) ([]byte, []Gap, error) {
	x := export{ColdcardOptions: o, period: coldcardPeriod(p)}
	rules := p.Allow
	if rules == nil {
		rules = []Rule{{}}
	}
	var w writer
	w.open('{')
	w.text("notes", notes(p, o.Lists))
	if x.period > 0 {
		w.int("period", int64(x.period/time.Minute))
	}
	w.key("rules")
	w.open('[')
	for _, r := range inOrder(rules) {
		if err := x.rule(&w, r); err != nil {
			return nil, nil, err
		}
	}
	w.close(']')
	w.close('}')
	if len(w.b) > coldcardMaxSize {
		x.gap("", "", "The device does not accept this policy, because it has more than %d bytes.", coldcardMaxSize)
	}
	if len(p.Deny) > 0 {
		x.gap("", "deny", "The device cannot deny recipients.")
	}
	if p.Change != nil {
		x.gap("", "change", "The device does not change its policy without its PIN, and knows no approvals or delay of changes.")
	}
	return w.b, x.gaps, nil
}

func notes(p Policy, lists Lists) string {
	const digits = 16
	s := "specterd policy " + Version(p, lists)[:digits]
	return s[:min(len(s), coldcardMaxNotes)]
}

// coldcardPeriod returns the only period of the device: the shortest window with an amount,
// or zero.
func coldcardPeriod(p Policy) time.Duration {
	var shortest time.Duration
	for _, r := range p.Allow {
		for _, w := range r.Windows {
			if w.MaxSat != nil && (shortest == 0 || w.Per < shortest) {
				shortest = w.Per
			}
		}
	}
	return min(shortest, coldcardMaxPeriod)
}

// inOrder returns rules with the ones that ask for least first, because the device applies
// the first rule that covers a payment.
func inOrder(rules []Rule) []*Rule {
	ordered := make([]*Rule, len(rules))
	for i := range rules {
		ordered[i] = &rules[i]
	}
	count := func(r *Rule) int {
		if r.Approvals == nil {
			return 0
		}
		return r.Approvals.Count
	}
	slices.SortStableFunc(ordered, func(a, b *Rule) int {
		return cmp.Or(cmp.Compare(count(a), count(b)), strings.Compare(a.Name, b.Name))
	})
	return ordered
}

// export writes a policy for a Coldcard.
type export struct {
	ColdcardOptions
	period time.Duration
	gaps   []Gap
}

func (x *export) gap(rule, field, format string, args ...any) {
	x.gaps = append(x.gaps, Gap{Rule: rule, Field: field, Message: say(format, args...)})
}

// rule writes a rule. A rule with recipients but without an address is left out, because
// the device understands an empty list as any recipient. Likewise, it understands a limit of
// zero as no limit after a restart.
func (x *export) rule(w *writer, r *Rule) error {
	for _, limit := range []struct {
		name   string
		amount *btc.Amount
	}{{"max_payment_sat", r.MaxPayment}, {"windows", leastOf(r.Windows)}} {
		if limit.amount != nil && *limit.amount == 0 {
			x.gap(r.Name, limit.name, "The rule is left out, because the device has no limits of zero.")
			return nil
		}
	}
	addresses, err := x.whitelist(r)
	if err != nil {
		return err
	}
	if r.To != nil && len(addresses) == 0 {
		x.gap(r.Name, "to", "The rule is left out, because it has no recipients whose addresses the device can list.")
		return nil
	}
	w.separate()
	w.open('{')
	if len(addresses) > 0 {
		w.key("whitelist")
		w.items(len(addresses), func(i int) { w.quote(addresses[i]) })
	}
	w.amount("max_amount", r.MaxPayment)
	x.windows(w, r)
	x.users(w, r)
	x.wallet(w, r)
	w.close('}')
	x.unsupported(r)
	return nil
}

// whitelist returns the addresses of the recipients.
func (x *export) whitelist(r *Rule) ([]string, error) {
	var all []string
	targets := slices.Clone(r.To)
	for len(targets) > 0 {
		t := targets[0]
		targets = targets[1:]
		switch {
		case t.List != "":
			targets = append(slices.Clone(x.Lists[t.List]), targets...)
		case t.Address != "":
			all = append(all, t.Address)
		case t.WalletID != "":
			var found []string
			if x.Addresses != nil {
				found = x.Addresses(t.WalletID)
			}
			if all = append(all, found...); len(found) == 0 {
				x.gap(r.Name, "to", "The device permits no payments to the wallet %s, because it knows only addresses.", t.WalletID)
				continue
			}
			x.gap(r.Name, "to", "The device permits the %d current addresses of the wallet %s, and no later ones.", len(found), t.WalletID)
		default:
			found, err := addressesOf(setKey{x.Network, t.Descriptor, t.UpTo})
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// windows writes the smallest amount of the windows. All of them are at least as long as
// the period of the device, unless it cannot have that period.
func (x *export) windows(w *writer, r *Rule) {
	for _, window := range r.Windows {
		if window.MaxSat != nil && window.Per > x.period {
			x.gap(r.Name, "windows", "The device has one period of %s for all rules; the limit for %s is enforced only within that period.", x.period, window.Per)
		}
		if window.MaxCount != nil {
			x.gap(r.Name, "windows", "The device does not count payments.")
		}
	}
	least := leastOf(r.Windows)
	if least == nil {
		return
	}
	w.amount("per_period", least)
	x.gap(r.Name, "windows", "The period of the device begins with the first payment and does not slide, so that twice the amount can be paid around its end; fees do not count.")
}

// leastOf returns the smallest amount of windows, and nil without one.
func leastOf(windows []Window) *btc.Amount {
	var least *btc.Amount
	for _, w := range windows {
		if w.MaxSat != nil && (least == nil || *w.MaxSat < *least) {
			least = w.MaxSat
		}
	}
	return least
}

// users writes the users who must confirm a payment with the device.
func (x *export) users(w *writer, r *Rule) {
	a := r.Approvals
	if a == nil {
		return
	}
	var users []string
	for _, g := range a.Of {
		if g.User == "" || len(g.User) > coldcardMaxUser {
			users = nil
			break
		}
		users = append(users, g.User)
	}
	if len(users) < a.Count {
		x.gap(r.Name, "approvals", "The device knows only users by name, of at most %d characters, and at least as many as approvals; it requires no approvals.", coldcardMaxUser)
		return
	}
	w.key("users")
	w.items(len(users), func(i int) { w.quote(users[i]) })
	w.int("min_users", int64(a.Count))
	x.gap(r.Name, "approvals", "The users must exist on the device under the same names: %s.", strings.Join(users, ", "))
	if a.Above > 0 {
		x.gap(r.Name, "approvals", "The device requires the approvals for payments of every amount.")
	}
	if a.NotProposer {
		x.gap(r.Name, "approvals", "The device does not know who proposed a payment.")
	}
}

func (x *export) wallet(w *writer, r *Rule) {
	name := cmp.Or(x.Multisig, "1")
	if len(name) > coldcardMaxName {
		x.gap(r.Name, "", "The rule applies to all wallets of the device, because the name of this wallet has more than %d characters.", coldcardMaxName)
		return
	}
	w.text("wallet", name)
}

// unsupported reports the fields that the device does not have.
func (x *export) unsupported(r *Rule) {
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"max_recipients", r.MaxRecipients != nil},
		{"fee", r.Fee != Fee{}},
		{"hours", r.Hours != nil},
		{"coins", r.Confirmations > 0},
		{"keep_at_least_sat", r.KeepAtLeast != nil},
		{"delay", r.Delay > 0},
	} {
		if f.set {
			x.gap(r.Name, f.name, "The device cannot enforce this field.")
		}
	}
}
