package store_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// policyWorld is a wallet with two owners, a signer, and the services of policies.
type policyWorld struct {
	*fixture
	w                 wallet.Wallet
	alice, bob, carol auth.User
	policies          *spending.Service
	wallets           *wallet.Service
}

func newPolicyWorld(t *testing.T, b *fixture) *policyWorld {
	w := &policyWorld{fixture: b, alice: b.user("alice", true), bob: b.user("bob", false), carol: b.user("carol", false)}
	w.w = b.wallet(w.alice, "vault")
	b.join(w.w, w.bob, auth.RoleOwner, "vault")
	b.join(w.w, w.carol, auth.RoleSigner, "vault")
	w.services()
	t.Helper()
	return w
}

// services makes the services use the database of the fixture.
func (w *policyWorld) services() {
	b := w.fixture
	now := func() time.Time { return b.now }
	w.wallets = wallet.New(slog.New(slog.DiscardHandler), b.Store, b.Store, nil, now, func(string) {})
	w.policies = spending.New(b.Store, w.wallets, nil, func() btc.Network { return btc.Regtest }, now, nil, func() {})
}

func (w *policyWorld) access(u auth.User) wallet.Access {
	w.t.Helper()
	return testkit.Access(w.t, w.wallets, auth.Operator("root").For(u), "vault")
}

// strict has conditions for changes.
func strict(sat string) []byte {
	return []byte(`{"version":1,"allow":[{"name":"day","windows":[{"per":"24h","max_sat":` + sat + `}]}],"change":{"approvals":2,"delay":"48h"}}`)
}

func (w *policyWorld) put(u auth.User, document []byte) spending.Result {
	w.t.Helper()
	r, err := w.policies.Put(w.t.Context(), w.access(u), document, nil)
	testkit.Check(w.t, err)
	return r
}

// wantLimit checks the limit of the policy of the wallet.
func (w *policyWorld) wantLimit(when, sat string) {
	w.t.Helper()
	p, err := w.policies.Get(w.t.Context(), w.access(w.alice))
	testkit.Check(w.t, err)
	if !strings.Contains(string(p.JSON()), `"max_sat":`+sat) {
		w.t.Errorf("%s: the policy is %s, want a limit of %s", when, p.JSON(), sat)
	}
}

// TestPolicyChanges_Loosening checks that a policy is loosened only after the approvals and the
// delay that it requires, and tightened at once.
func TestPolicyChanges_Loosening(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		if r := w.put(w.alice, strict("5000")); r.Pending != nil {
			t.Errorf("the first policy is pending: %+v", r)
		}
		if r := w.put(w.alice, strict("4000")); r.Pending != nil || len(r.Loosens) != 0 {
			t.Errorf("a tighter policy is pending: %+v", r)
		}
		w.wantLimit("after tightening", "4000")
		_, err := w.policies.Put(ctx, w.access(w.carol), strict("1"), nil)
		if f := err; f == nil || !strings.Contains(f.Error(), "role owner is required") {
			t.Errorf("a signer changes the policy: %v", err)
		}
		r := w.put(w.alice, strict("9000"))
		if r.Pending == nil || r.Pending.Missing != 1 || len(r.Loosens) == 0 {
			t.Fatalf("a looser policy takes effect: %+v", r)
		}
		id := r.Pending.ID
		b.now = b.now.Add(49 * time.Hour)
		testkit.Check(t, w.policies.ApplyDue(ctx))
		w.wantLimit("after the delay without approvals", "4000")
		if _, err := w.policies.ApproveChange(ctx, w.access(w.carol), id); !errors.Is(err, proposal.ErrNotApprover) {
			t.Errorf("a signer approves: %v", err)
		}
		if r, err = w.policies.ApproveChange(ctx, w.access(w.alice), id); err != nil || r.Pending == nil {
			t.Errorf("the requester approves twice: %+v, %v", r, err)
		}
		w.wantLimit("after two approvals of the requester", "4000")
		if r, err = w.policies.ApproveChange(ctx, w.access(w.bob), id); err != nil || r.Pending != nil {
			t.Errorf("got %+v, %v", r, err)
		}
		w.wantLimit("after approvals and delay", "9000")

		// The delay ends without a request, if the approvals are there.
		id = w.put(w.alice, strict("20000")).Pending.ID
		_, err = w.policies.ApproveChange(ctx, w.access(w.bob), id)
		testkit.Check(t, err)
		next, err := w.policies.NextChange(ctx, time.Time{})
		if testkit.Check(t, err); !next.Equal(b.now.Add(48 * time.Hour)) {
			t.Errorf("the change is due at %s", next)
		}
		b.now = next.Add(-time.Microsecond)
		testkit.Check(t, w.policies.ApplyDue(ctx))
		w.wantLimit("before the end of the delay", "9000")
		b.now = next
		testkit.Check(t, w.policies.ApplyDue(ctx))
		w.wantLimit("at the end of the delay", "20000")
		kinds := b.rows("SELECT kind FROM events WHERE kind LIKE 'policy.%' ORDER BY seq")
		want := "policy.changed policy.changed policy.change_requested policy.change_approved policy.changed policy.change_requested policy.change_approved policy.changed"
		if got := strings.ReplaceAll(kinds, "\n", " "); got != want {
			t.Errorf("the events are %s", got)
		}
	})
}

// TestPolicyChanges_Replaced checks that a change replaces a pending one, that an approver who
// lost the role does not count, and that a deletion loosens.
func TestPolicyChanges_Replaced(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		w.put(w.alice, strict("5000"))
		r, err := w.policies.Delete(ctx, w.access(w.alice), nil)
		if err != nil || r.Pending == nil {
			t.Fatalf("the policy is deleted at once: %+v, %v", r, err)
		}
		deletion := r.Pending.ID
		second := w.put(w.bob, strict("6000")).Pending
		if _, err := w.policies.ApproveChange(ctx, w.access(w.alice), deletion); !errors.Is(err, spending.ErrChangeNotFound) {
			t.Errorf("the replaced change is pending: %v", err)
		}
		b.exec("UPDATE members SET role = 'signer' WHERE user_id = $1", w.bob.ID)
		b.now = b.now.Add(49 * time.Hour)
		if r, err = w.policies.ApproveChange(ctx, w.access(w.alice), second.ID); err != nil || r.Pending == nil || r.Pending.Missing != 1 {
			t.Errorf("the approval of a former owner counts: %+v, %v", r, err)
		}
		w.put(w.alice, strict("3000"))
		if _, err := w.policies.ApproveChange(ctx, w.access(w.alice), second.ID); !errors.Is(err, spending.ErrChangeNotFound) {
			t.Errorf("a change of an older policy is pending: %v", err)
		}
		id := w.put(w.alice, strict("7000")).Pending.ID
		testkit.Check(t, w.policies.CancelChange(ctx, w.access(w.alice), id))
		b.now = b.now.Add(100 * time.Hour)
		testkit.Check(t, w.policies.ApplyDue(ctx))
		w.wantLimit("after a cancelled change", "3000")
		p, err := w.policies.Get(ctx, w.access(w.alice))
		testkit.Check(t, err)
		if _, err := w.policies.Put(ctx, w.access(w.alice), strict("2000"), spending.Versions{"old"}); !errors.Is(err, spending.ErrModified) {
			t.Errorf("If-Match with an old version: %v", err)
		}
		_, err = w.policies.Put(ctx, w.access(w.alice), strict("2000"), spending.Versions{p.Version})
		testkit.Check(t, err)
	})
}

// TestPolicyChanges_Lists checks that editing a list is a change of the policies that name it,
// and that policies of members follow the conditions of the wallet.
func TestPolicyChanges_Lists(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		const address, other = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "bcrt1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qzf4jry"
		w, ctx := newPolicyWorld(t, b), t.Context()
		list := func(addresses ...string) []byte {
			text := ""
			for _, a := range addresses {
				text += `,{"address":"` + a + `"}`
			}
			return []byte(`{"entries":[` + strings.TrimPrefix(text, ",") + `]}`)
		}
		put := func(addresses ...string) spending.Result {
			t.Helper()
			r, err := w.policies.PutList(ctx, w.access(w.alice), "suppliers", list(addresses...), nil)
			testkit.Check(t, err)
			return r
		}
		if r := put(address); r.Pending != nil {
			t.Errorf("a list that no policy names is pending: %+v", r)
		}
		w.put(w.alice, []byte(`{"version":1,"allow":[{"name":"paper","to":[{"list":"suppliers"}]}],"change":{"approvals":1,"delay":"1h"}}`))
		if r := put(); r.Pending != nil {
			t.Errorf("removing a recipient is pending: %+v", r)
		}
		if r := put(address, other); r.Pending == nil {
			t.Error("adding recipients takes effect at once")
		}
		b.now = b.now.Add(time.Hour)
		testkit.Check(t, w.policies.ApplyDue(ctx))
		l, err := w.policies.GetList(ctx, w.access(w.carol), "suppliers")
		if testkit.Check(t, err); len(l.Entries) != 2 {
			t.Errorf("the list is %+v", l)
		}
		for name, expected := range map[string]spending.Versions{"old": {policy.ListVersion(nil)}, "missing": {""}, "none": {}} {
			_, err := w.policies.PutList(ctx, w.access(w.alice), "suppliers", list(), expected)
			wantFault(t, err, spending.ErrListModified)
			_, err = w.policies.DeleteList(ctx, w.access(w.alice), "suppliers", expected)
			if wantFault(t, err, spending.ErrListModified); t.Failed() {
				t.Fatal(name)
			}
		}
		_, err = w.policies.PutList(ctx, w.access(w.alice), "suppliers", list(address), spending.Versions{"other", l.Version})
		testkit.Check(t, err)
		_, err = w.policies.PutList(ctx, w.access(w.alice), "new", list(address), spending.Versions{l.Version})
		wantFault(t, err, spending.ErrListModified)
		_, err = w.policies.PutList(ctx, w.access(w.alice), "new", list(address), spending.Versions{""})
		testkit.Check(t, err)
		member := func(sat string) spending.Result {
			t.Helper()
			document := `{"version":1,"allow":[{"name":"day","windows":[{"per":"24h","max_sat":` + sat + `}]}]}`
			r, err := w.policies.PutMember(ctx, w.access(w.alice), "carol", []byte(document), nil)
			testkit.Check(t, err)
			return r
		}
		if r := member("5"); r.Pending != nil {
			t.Errorf("the first policy of a member is pending: %+v", r)
		}
		if r := member("6"); r.Pending == nil {
			t.Error("a member's policy is loosened at once")
		}
	})
}

// TestPolicyChanges_PendingList checks that a list that only a pending policy names cannot be
// extended without the conditions for changes: the pending policy was approved with its entries.
func TestPolicyChanges_PendingList(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		list := func(entries string) spending.Result {
			t.Helper()
			r, err := w.policies.PutList(ctx, w.access(w.alice), "known", []byte(`{"entries":[`+entries+`]}`), nil)
			testkit.Check(t, err)
			return r
		}
		const known = `{"wallet":"vault"}`
		list(known)
		w.put(w.alice, strict("5000"))
		pending := w.put(w.alice, []byte(strings.Replace(string(strict("5000")), `"allow":[`, `"allow":[{"name":"known","to":[{"list":"known"}]},`, 1))).Pending
		if pending == nil {
			t.Fatal("a further rule takes effect at once")
		}
		if r := list(known + `,{"address":"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"}`); r.Pending == nil || len(r.Loosens) == 0 {
			t.Errorf("the list of a pending policy is extended at once: %+v", r)
		}
		if r := list(""); r.Pending != nil {
			t.Errorf("a shorter list is pending: %+v", r)
		}
	})
}

// TestPolicyChanges_ListLimits checks the limits of the lists of a wallet when a list is changed, and
// again when a pending change is due: one that exceeds them stays pending until it fits.
func TestPolicyChanges_ListLimits(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w, ctx := newPolicyWorld(t, b), t.Context()
		list := func(name string, descriptors int) (spending.Result, error) {
			entries := strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"descriptor":%q,"up_to":1},`, listDescriptor), descriptors), ",")
			return w.policies.PutList(ctx, w.access(w.alice), name, []byte(`{"entries":[`+entries+`]}`), nil)
		}
		pending := func(name string, descriptors int) string {
			t.Helper()
			r, err := list(name, descriptors)
			if testkit.Check(t, err); r.Pending == nil {
				t.Fatalf("the list %s takes effect at once", name)
			}
			return r.Pending.ID
		}
		w.put(w.alice, []byte(`{"version":1,"allow":[{"name":"paper","to":[{"list":"a"},{"list":"b"},{"list":"c"}]}],"change":{"approvals":1,"delay":"1h"}}`))
		const tooMany = "the lists of a wallet can have 20 descriptors together; they would have 21"
		a := pending("a", policy.MaxDescriptors)
		due := func() {
			t.Helper()
			b.now = b.now.Add(time.Hour)
			testkit.Check(t, w.policies.ApplyDue(ctx))
		}
		second := pending("b", 1)
		due()
		changes, err := w.policies.Changes(ctx, w.access(w.alice))
		if testkit.Check(t, err); len(changes) != 1 || changes[0].ID != second {
			t.Fatalf("%+v are pending, want only %s and not %s", changes, second, a)
		}
		if _, err := w.policies.ApproveChange(ctx, w.access(w.alice), second); err == nil || err.Error() != tooMany {
			t.Errorf("the change is approved: %v", err)
		}
		if _, err := list("other", 1); err == nil || err.Error() != tooMany {
			t.Errorf("a descriptor too many: %v", err)
		}
		if _, err := w.policies.PreviewPutList(ctx, w.access(w.alice), "other", fmt.Appendf(nil, `{"entries":[{"descriptor":%q,"up_to":1}]}`, listDescriptor)); err == nil || err.Error() != tooMany {
			t.Errorf("a preview with a descriptor too many: %v", err)
		}
		_, err = list("a", policy.MaxDescriptors-1)
		testkit.Check(t, err)
		_, err = w.policies.ApproveChange(ctx, w.access(w.alice), second)
		testkit.Check(t, err)

		for i := range 18 { // beside a and b
			_, err := list(fmt.Sprint("number ", i), 0)
			testkit.Check(t, err)
		}
		_, err = list("c", 0)
		wantFault(t, err, spending.ErrTooManyLists)
		_, err = list("b", 0)
		testkit.Check(t, err)
		_, err = w.policies.DeleteList(ctx, w.access(w.alice), "number 0", nil)
		testkit.Check(t, err)
		third, err := w.policies.PutList(ctx, w.access(w.alice), "c", []byte(`{"entries":[{"address":"bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"}]}`), nil)
		if testkit.Check(t, err); third.Pending == nil {
			t.Fatal("a further recipient takes effect at once")
		}
		_, err = list("number 0", 0)
		testkit.Check(t, err)
		due()
		_, err = w.policies.ApproveChange(ctx, w.access(w.alice), third.Pending.ID)
		wantFault(t, err, spending.ErrTooManyLists)
		lists, err := w.policies.Lists(ctx, w.access(w.alice))
		if testkit.Check(t, err); len(lists) != 20 {
			t.Errorf("%d lists", len(lists))
		}
	})
}

// listDescriptor is a descriptor of regtest that entries of lists have.
const listDescriptor = "wpkh([d34db33f/84h/1h/0h]tpubDCSdidzHdMQemRVvEZVRYkDCeTqNWR9S2nAy1WnBr26cSkN1VkXJGgipFDtAiWEJeXPzb1U6GSdrGbu35odWJXst7myq85oevPo1Vtyq5nr/0/*)"
