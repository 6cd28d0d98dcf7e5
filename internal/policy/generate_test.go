package policy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/btc"
)

// generator makes policies and payments from few values, so that they often meet.
type generator struct{ *rand.Rand }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g generator, values ...T) T { return values[g.IntN(len(values))] }

func ptr[T any](v T) *T { return &v }

func maybe[T any](g generator, percent int, values ...T) *T {
	if !g.chance(percent) {
		return nil
	}
	return ptr(pick(g, values...))
}

var (
	addresses   = []string{"address-1", "address-2", "address-3"}
	walletIDs   = []string{"wallet-1", "wallet-2"}
	listNames   = []string{"list-1", "list-2"}
	ruleNames   = []string{"a", "b", "c"}
	zoneNames   = []string{"UTC", "Europe/Zurich"}
	descriptors = []string{wpkhDescriptor, trDescriptor}
	amounts     = []btc.Amount{0, 1, 50, 100, 200}
	periods     = []time.Duration{time.Hour, day, 7 * day}
)

func (g generator) target(entry bool) Target {
	switch n := g.IntN(10); {
	case n < 4:
		return Target{Address: pick(g, addresses...)}
	case n < 7:
		return Target{WalletID: pick(g, walletIDs...)}
	case n < 8:
		return Target{Descriptor: pick(g, descriptors...), UpTo: pick[uint32](g, 1, 3)}
	case entry:
		return Target{Address: pick(g, addresses...), Label: "label"}
	}
	return Target{List: pick(g, listNames...)}
}

func (g generator) targets(entry bool) []Target {
	targets := make([]Target, g.IntN(4))
	for i := range targets {
		targets[i] = g.target(entry)
	}
	return targets
}

func (g generator) groups(change bool) []Group {
	if g.chance(30) {
		return nil
	}
	all := []Group{{Role: "owner"}, {Role: "signer"}, {User: "bob"}, {User: "carol"}}
	if !change {
		all = append(all, Group{Role: "proposer"})
	}
	g.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:1+g.IntN(2)]
}

func (g generator) rule(name string) Rule {
	r := Rule{Name: name}
	if g.chance(70) {
		r.To = g.targets(false)
	}
	r.MaxPayment = maybe(g, 25, amounts...)
	r.MaxRecipients = maybe(g, 15, 1, 2, 3)
	if g.chance(25) {
		for range 1 + g.IntN(2) {
			w := Window{Per: pick(g, periods...), MaxSat: maybe(g, 60, amounts...)}
			if w.MaxCount = maybe(g, 40, 0, 1, 2); w.MaxSat == nil && w.MaxCount == nil {
				w.MaxSat = ptr(pick(g, amounts...))
			}
			r.Windows = append(r.Windows, w)
		}
	}
	r.Fee = Fee{MaxRate: maybe[btc.FeeRate](g, 15, 1000, 2500), Max: maybe[btc.Amount](g, 15, 0, 5), MaxPercent: maybe(g, 15, 0, 2, 10)}
	if g.chance(15) {
		r.Hours = g.hours()
	}
	if g.chance(20) {
		r.Confirmations = 1 + g.IntN(2)
	}
	r.KeepAtLeast = maybe(g, 15, amounts...)
	if g.chance(40) {
		r.Approvals = &Approvals{Count: 1 + g.IntN(2), Of: g.groups(false), NotProposer: g.chance(40), Above: pick[btc.Amount](g, 0, 0, 50, 100)}
	}
	if g.chance(30) {
		r.Delay = pick(g, periods...)
	}
	return r
}

func (g generator) hours() *Hours {
	zone, err := loadZone(pick(g, zoneNames...))
	if err != nil {
		panic(err)
	}
	h := &Hours{Zone: zone, From: pick(g, 0, 8*time.Hour), To: pick(g, 12*time.Hour, day)}
	if g.chance(70) {
		h.Days = []time.Weekday{}
		for _, d := range []time.Weekday{1, 2, 6, 0} {
			if g.chance(60) {
				h.Days = append(h.Days, d)
			}
		}
	}
	return h
}

func (g generator) policy() Policy {
	var p Policy
	if g.chance(90) {
		p.Allow = []Rule{}
		for _, name := range ruleNames[:g.IntN(len(ruleNames)+1)] {
			p.Allow = append(p.Allow, g.rule(name))
		}
	}
	if g.chance(30) {
		p.Deny = g.targets(false)
	}
	if g.chance(50) {
		p.Change = &Change{Approvals: g.IntN(3), Of: g.groups(true), Delay: pick(g, 0, time.Hour, 48*time.Hour)}
	}
	return p
}

func (g generator) lists() Lists {
	lists := Lists{}
	for _, name := range listNames {
		if g.chance(80) {
			lists[name] = g.targets(true)
		}
	}
	return lists
}

// variant returns a policy that differs from p in a few fields, in either direction.
func (g generator) variant(p Policy) Policy {
	p.Allow = slices.Clone(p.Allow)
	for range 1 + g.IntN(2) {
		switch n := g.IntN(20); {
		case n == 0 && p.Allow != nil && len(p.Allow) < len(ruleNames):
			p.Allow = append(p.Allow, g.rule(ruleNames[len(p.Allow)]))
		case n == 1 && len(p.Allow) > 0:
			i := g.IntN(len(p.Allow))
			p.Allow = slices.Delete(p.Allow, i, i+1)
		case n == 2:
			p.Deny = append(slices.Clone(p.Deny), g.target(false))
		case n == 3:
			p.Deny = g.targets(false)
		case n == 4:
			p.Change = g.policy().Change
		case n == 5:
			p.Allow = g.policy().Allow
		case len(p.Allow) > 0:
			i := g.IntN(len(p.Allow))
			p.Allow[i] = g.mutated(p.Allow[i])
		}
	}
	return p
}

// mutated returns a rule with one other field.
func (g generator) mutated(r Rule) Rule {
	other := g.rule(r.Name)
	switch g.IntN(12) {
	case 0:
		r.To = other.To
	case 1:
		r.MaxPayment = other.MaxPayment
	case 2:
		r.MaxRecipients = other.MaxRecipients
	case 3:
		r.Windows = other.Windows
	case 4:
		r.Fee.MaxRate = other.Fee.MaxRate
	case 5:
		r.Fee.Max = other.Fee.Max
	case 6:
		r.Fee.MaxPercent = other.Fee.MaxPercent
	case 7:
		r.Hours = other.Hours
	case 8:
		r.Confirmations = other.Confirmations
	case 9:
		r.KeepAtLeast = other.KeepAtLeast
	case 10:
		r.Approvals = other.Approvals
	default:
		r.Delay = other.Delay
	}
	return r
}

func (g generator) payment() Payment {
	p := Payment{
		WalletID: "wallet", Network: btc.Main, Fee: pick[btc.Amount](g, 0, 1, 6), FeeRate: pick[btc.FeeRate](g, 1000, 1001, 3000),
		Confirmations: g.IntN(4), Remaining: pick[btc.Amount](g, 0, 60, 1000),
		At: time.Date(2026, time.November, 30, 0, 0, 0, 0, time.UTC).Add(time.Duration(g.IntN(7*24)) * time.Hour),
	}
	for range g.IntN(4) {
		p.Outputs = append(p.Outputs, g.output())
	}
	return p
}

func (g generator) output() Output {
	o := Output{Address: pick(g, append(derived, addresses...)...), Amount: pick[btc.Amount](g, 0, 1, 40, 60, 120)}
	if g.chance(5) {
		o.Address = ""
	}
	if g.chance(50) {
		o.WalletIDs = []string{pick(g, walletIDs...)}
	}
	return o
}

// charges are the charges that a fake usage has.
type charges []charged

type charged struct {
	Charge
	at     time.Time
	amount btc.Amount
}

func (c charges) after(subject, rule string, after time.Time) charges {
	var found charges
	for _, x := range c {
		if x.Subject == subject && x.Rule == rule && x.at.After(after) {
			found = append(found, x)
		}
	}
	slices.SortStableFunc(found, func(a, b charged) int { return a.at.Compare(b.at) })
	return found
}

// Spent implements Usage.
func (c charges) Spent(subject string, after time.Time) (map[string]Spent, error) {
	spent := map[string]Spent{}
	for _, x := range c {
		if x.Subject == subject && x.at.After(after) {
			sum := spent[x.Rule]
			spent[x.Rule] = Spent{sum.Amount + x.amount, sum.Count + 1}
		}
	}
	return spent, nil
}

// Frees implements Usage.
func (c charges) Frees(subject, rule string, after time.Time, amount btc.Amount, count int) (time.Time, error) {
	var s Spent
	for _, x := range c.after(subject, rule, after) {
		s.Amount += x.amount
		if s.Count++; s.Amount >= amount && s.Count >= count {
			return x.at, nil
		}
	}
	return time.Time{}, fmt.Errorf("only %+v were spent", s)
}

func (g generator) charges(subject string, at time.Time) charges {
	var all charges
	for range g.IntN(6) {
		all = append(all, charged{Charge{subject, pick(g, ruleNames...)}, at.Add(-time.Duration(g.IntN(8*24)) * time.Hour), pick[btc.Amount](g, 1, 30, 100)})
	}
	return all
}
