package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/btc"
)

// Canonical returns the policy as JSON with the ids of wallets, in the form of ParseStored.
// Equal policies have the same form.
func (p Policy) Canonical() []byte { return p.Document(nil) }

// Document returns the policy as JSON with names of wallets.
func (p Policy) Document(walletName func(id string) string) []byte {
	w := writer{walletName: walletName}
	w.open('{')
	w.int("version", 1)
	if p.Allow != nil {
		w.key("allow")
		w.rules(p.Allow)
	}
	w.targets("deny", p.Deny)
	if c := p.Change; c != nil {
		w.key("change")
		w.open('{')
		w.int("approvals", int64(c.Approvals))
		w.groups(c.Of)
		w.duration("delay", c.Delay)
		w.close('}')
	}
	w.close('}')
	return w.b
}

// CanonicalList returns the entries of a list as JSON with the ids of wallets, in the form
// of ParseStoredList.
func CanonicalList(entries []Target) []byte { return ListDocument(entries, nil) }

// ListVersion returns the SHA-256 of a list with its labels, in hexadecimal.
func ListVersion(entries []Target) string {
	sum := sha256.Sum256(CanonicalList(entries))
	return hex.EncodeToString(sum[:])
}

// ListDocument returns the entries of a list as JSON with names of wallets.
func ListDocument(entries []Target, walletName func(id string) string) []byte {
	w := writer{walletName: walletName}
	w.open('{')
	w.list("entries", len(entries), func(i int) { w.target(&entries[i]) })
	w.close('}')
	return w.b
}

// Version returns the SHA-256 of a policy and the lists that it names, in hexadecimal. The
// labels of entries do not count.
func Version(p Policy, lists Lists) string {
	named := p.ListNames()
	w := writer{}
	w.open('{')
	w.key("policy")
	w.b = append(w.b, p.Canonical()...)
	w.next = true
	w.key("lists")
	w.open('{')
	for _, name := range named {
		if entries, ok := lists[name]; ok {
			w.list(name, len(entries), func(i int) {
				entry := entries[i]
				entry.Label = ""
				w.target(&entry)
			})
		}
	}
	w.close('}')
	w.close('}')
	sum := sha256.Sum256(w.b)
	return hex.EncodeToString(sum[:])
}

// ListNames returns the names of the lists that a policy names, in byte order.
func (p Policy) ListNames() []string {
	return p.namesOf(func(t Target) string { return t.List })
}

// WalletIDs returns the ids of the wallets that a policy names, in byte order.
func (p Policy) WalletIDs() []string {
	return p.namesOf(func(t Target) string { return t.WalletID })
}

func (p Policy) namesOf(name func(Target) string) []string {
	names := map[string]bool{}
	for _, t := range p.Deny {
		names[name(t)] = true
	}
	for _, r := range p.Allow {
		for _, t := range r.To {
			names[name(t)] = true
		}
	}
	delete(names, "")
	return slices.Sorted(maps.Keys(names))
}

// writer writes JSON without spaces.
type writer struct {
	walletName func(id string) string // nil for ids
	b          []byte
	next       bool // whether a comma is required before the next name or value
}

func (w *writer) separate() {
	if w.next {
		w.b = append(w.b, ',')
	}
	w.next = true
}

func (w *writer) open(bracket byte) {
	w.b = append(w.b, bracket)
	w.next = false
}

func (w *writer) close(bracket byte) {
	w.b = append(w.b, bracket)
	w.next = true
}

func (w *writer) quote(s string) {
	b, err := jsontext.AppendQuote(w.b, s)
	if err != nil {
		panic("policy: text that is not UTF-8") // the parser refuses it
	}
	w.b = b
}

func (w *writer) key(name string) {
	w.separate()
	w.quote(name)
	w.b = append(w.b, ':')
}

func (w *writer) int(name string, n int64) {
	w.key(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *writer) text(name, s string) {
	w.key(name)
	w.quote(s)
}

func (w *writer) amount(name string, a *btc.Amount) {
	if a != nil {
		w.int(name, int64(*a))
	}
}

func (w *writer) count(name string, n *int) {
	if n != nil {
		w.int(name, int64(*n))
	}
}

func (w *writer) duration(name string, d time.Duration) {
	if d != 0 {
		w.text(name, durationText(d))
	}
}

// durationText returns a duration in the form of documents: in days from one week on, else
// in hours or minutes.
func durationText(d time.Duration) string {
	for _, u := range units {
		if d%u.length == 0 && (u.length < day || d >= 7*day) {
			return strconv.FormatInt(int64(d/u.length), 10) + u.name
		}
	}
	return d.String() // not from the parser
}

func (w *writer) list(name string, n int, item func(i int)) {
	w.key(name)
	w.items(n, item)
}

func (w *writer) items(n int, item func(i int)) {
	w.open('[')
	for i := range n {
		w.separate()
		item(i)
	}
	w.close(']')
}

func (w *writer) rules(rules []Rule) {
	w.items(len(rules), func(i int) { w.rule(&rules[i]) })
}

func (w *writer) rule(r *Rule) {
	w.open('{')
	w.text("name", r.Name)
	w.targets("to", r.To)
	w.amount("max_payment_sat", r.MaxPayment)
	w.count("max_recipients", r.MaxRecipients)
	if len(r.Windows) > 0 {
		w.key("windows")
		w.windows(r.Windows)
	}
	w.fee(r.Fee)
	if r.Hours != nil {
		w.key("hours")
		w.hours(r.Hours)
	}
	if r.Confirmations > 0 {
		w.key("coins")
		w.open('{')
		w.int("confirmations", int64(r.Confirmations))
		w.close('}')
	}
	w.amount("keep_at_least_sat", r.KeepAtLeast)
	if r.Approvals != nil {
		w.key("approvals")
		w.approvals(r.Approvals)
	}
	w.duration("delay", r.Delay)
	w.close('}')
}

func (w *writer) windows(windows []Window) {
	w.items(len(windows), func(i int) { w.window(windows[i]) })
}

func (w *writer) window(x Window) {
	w.open('{')
	w.duration("per", x.Per)
	w.amount("max_sat", x.MaxSat)
	w.count("max_count", x.MaxCount)
	w.close('}')
}

func (w *writer) fee(f Fee) {
	if f == (Fee{}) {
		return
	}
	w.key("fee")
	w.open('{')
	if f.MaxRate != nil {
		w.key("max_sat_vb")
		w.b = append(w.b, f.MaxRate.String()...)
	}
	w.amount("max_sat", f.Max)
	w.count("max_percent", f.MaxPercent)
	w.close('}')
}

func (w *writer) hours(h *Hours) {
	w.open('{')
	w.text("zone", h.Zone.String())
	if h.Days != nil {
		w.list("days", len(h.Days), func(i int) { w.quote(weekdays[position(h.Days[i])]) })
	}
	w.text("from", clockText(h.From))
	w.text("to", clockText(h.To))
	w.close('}')
}

func (w *writer) approvals(a *Approvals) {
	w.open('{')
	w.int("count", int64(a.Count))
	w.groups(a.Of)
	if a.NotProposer {
		w.key("not_proposer")
		w.b = append(w.b, "true"...)
	}
	if a.Above > 0 {
		w.int("above_sat", int64(a.Above))
	}
	w.close('}')
}

func (w *writer) groups(of []Group) {
	if of != nil {
		w.key("of")
		w.groupItems(of)
	}
}

func (w *writer) groupItems(of []Group) {
	w.items(len(of), func(i int) { w.quote(of[i].String()) })
}

func (w *writer) targets(name string, targets []Target) {
	if targets != nil {
		w.key(name)
		w.targetItems(targets)
	}
}

func (w *writer) targetItems(targets []Target) {
	w.items(len(targets), func(i int) { w.target(&targets[i]) })
}

func (w *writer) target(t *Target) {
	w.open('{')
	switch {
	case t.Address != "":
		w.text("address", t.Address)
	case t.WalletID != "":
		name := t.WalletID
		if w.walletName != nil {
			name = w.walletName(name)
		}
		w.text("wallet", name)
	case t.List != "":
		w.text("list", t.List)
	default:
		w.text("descriptor", t.Descriptor)
		w.int("up_to", int64(t.UpTo))
	}
	if t.Label != "" {
		w.text("label", t.Label)
	}
	w.close('}')
}

// jsonOf returns what a function writes.
func jsonOf(write func(w *writer)) string {
	var w writer
	write(&w)
	return string(w.b)
}
