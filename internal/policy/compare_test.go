package policy

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// Descriptors of the public key of BIP-84's test vector, and their first addresses, which
// payments of the generator have.
const (
	wpkhDescriptor = "wpkh(xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V/0/*)"
	trDescriptor   = "tr(xpub6CatWdiZiodmUeTDp8LT5or8nmbKNcuyvz7WyksVFkKB4RHwCD3XyuvPEbvqAQY3rAPshWcMLoP2fMFMKHPJ4ZeZXYVUhLv1VMrjPC7PW6V/0/*)"
)

var derived = func() []string {
	var all []string
	for _, d := range descriptors {
		found, err := addressesOf(setKey{"main", d, 3})
		if err != nil {
			panic(err)
		}
		all = append(all, found...)
	}
	return all
}()

// permitted evaluates a payment under one policy.
func permitted(t testing.TB, e *Evaluator, pay Payment, p Policy, lists Lists, usage Usage) (Decision, bool) {
	t.Helper()
	d, err := e.Evaluate(pay, []Layer{{Kind: Wallet, Subject: "s", Policy: p, Lists: lists}}, usage)
	if err != nil {
		t.Fatal(err)
	}
	return d, len(d.Refusals) == 0
}

// counterexample is a payment that shows that a comparison is wrong.
func narrowerCounterexample(t testing.TB, e *Evaluator, g generator, c comparison) string {
	parent, lists := g.policy(), g.lists()
	child := g.variant(parent)
	if len(c.narrower(child, parent)) > 0 {
		return ""
	}
	for range 20 {
		pay := g.payment()
		_, byChild := permitted(t, e, pay, child, lists, charges{})
		if _, byParent := permitted(t, e, pay, parent, lists, charges{}); byChild && !byParent {
			return fmt.Sprintf("parent %s\nchild  %s\nlists %v\npayment %+v", parent.Canonical(), child.Canonical(), lists, pay)
		}
	}
	return ""
}

// loosensCounterexample is the same for a changed policy, with charges.
func loosensCounterexample(t testing.TB, e *Evaluator, g generator, compare func(before, after Policy, beforeLists, afterLists Lists) []Wider) string {
	before, beforeLists := g.policy(), g.lists()
	after, afterLists := g.variant(before), beforeLists
	if g.chance(30) {
		afterLists = g.lists()
	}
	if len(compare(before, after, beforeLists, afterLists)) > 0 {
		return ""
	}
	for range 20 {
		pay := g.payment()
		usage := g.charges("s", pay.At)
		now, byAfter := permitted(t, e, pay, after, afterLists, usage)
		if !byAfter {
			continue
		}
		then, byBefore := permitted(t, e, pay, before, beforeLists, usage)
		if !byBefore || now.Delay < then.Delay || !requiresAtLeast(now, then) {
			return fmt.Sprintf("before %s %v\nafter  %s %v\npayment %+v\nusage %v\nbefore %+v\nafter  %+v", before.Canonical(), beforeLists, after.Canonical(), afterLists, pay, usage, then, now)
		}
	}
	return ""
}

// requiresAtLeast reports whether a decision of one layer requires the approvals of another
// one. It does not use the code of comparisons.
func requiresAtLeast(now, then Decision) bool {
	if len(then.Required) == 0 {
		return true
	}
	if len(now.Required) == 0 {
		return false
	}
	a, b := now.Required[0].Approvals, then.Required[0].Approvals
	if a.Count < b.Count || b.NotProposer && !a.NotProposer {
		return false
	}
	canApprove := func(a Approvals, role, user string) bool {
		rank := map[string]int{"proposer": 1, "signer": 2, "owner": 3}
		of := a.Of
		if of == nil {
			of = []Group{{Role: "signer"}}
		}
		for _, g := range of {
			if g.User != "" && g.User == user || g.Role != "" && rank[role] >= rank[g.Role] {
				return true
			}
		}
		return false
	}
	for _, role := range []string{"viewer", "proposer", "signer", "owner"} {
		for _, user := range []string{"bob", "carol", "dave"} {
			if canApprove(a, role, user) && !canApprove(b, role, user) {
				return false
			}
		}
	}
	return true
}

func loosensWith(fields []ruleField) func(before, after Policy, beforeLists, afterLists Lists) []Wider {
	return func(before, after Policy, beforeLists, afterLists Lists) []Wider {
		c := comparison{of: expanded(beforeLists, afterLists), fields: fields}
		return append(c.direct(before, after), c.uncovered(before, after)...)
	}
}

func newGenerator(t testing.TB) generator {
	return generator{rand.New(rand.NewPCG(testkit.Seed(t), 0))}
}

func samples() int {
	if testing.Short() {
		return 20_000
	}
	return 200_000
}

func TestNarrower_ImpliesPermitted(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	for range samples() {
		if found := narrowerCounterexample(t, e, g, comparison{of: sameTargets, fields: ruleFields}); found != "" {
			t.Fatal(found)
		}
	}
}

func TestLoosens_ImpliesPermittedBefore(t *testing.T) {
	g, e := newGenerator(t), NewEvaluator()
	for range samples() {
		if found := loosensCounterexample(t, e, g, loosensWith(ruleFields)); found != "" {
			t.Fatal(found)
		}
	}
}

// Without any one field, the properties above have counterexamples: the tests would notice
// a field that is not compared.
func TestComparison_NeedsEveryField(t *testing.T) {
	const most = 100_000
	for i, f := range ruleFields {
		fields := append(append([]ruleField{}, ruleFields[:i]...), ruleFields[i+1:]...)
		isRequirement := f.name == "approvals" || f.name == "delay"
		t.Run(f.name, func(t *testing.T) {
			g, e := newGenerator(t), NewEvaluator()
			for n := 1; n <= most; n++ {
				if found := loosensCounterexample(t, e, g, loosensWith(fields)); found != "" {
					t.Logf("Loosens: found after %d policies", n)
					break
				}
				if n == most {
					t.Error("Loosens: no counterexample")
				}
			}
			for n := 1; n <= most && !isRequirement; n++ { // each layer requires its own approvals
				if found := narrowerCounterexample(t, e, g, comparison{of: sameTargets, fields: fields}); found != "" {
					t.Logf("Narrower: found after %d policies", n)
					break
				}
				if n == most {
					t.Error("Narrower: no counterexample")
				}
			}
		})
	}
}
