package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// setPolicy stores a policy without its rules for changes.
func (b *fixture) setPolicy(subject, document string) {
	b.t.Helper()
	b.exec("DELETE FROM policies WHERE subject = $1", subject)
	b.exec("INSERT INTO policies (subject, wallet_id, document, user_name, set_at) VALUES ($1, $2, $3, 'alice', 1)", subject, walletOfSubject(subject), document)
}

func walletOfSubject(subject string) any {
	if parts := strings.Split(subject, ":"); len(parts) > 1 {
		return parts[1]
	}
	return nil
}

// dayLimit is a policy that permits payments of an amount within a day.
func dayLimit(sat int) string {
	return fmt.Sprintf(`{"version":1,"allow":[{"name":"day","windows":[{"per":"24h","max_sat":%d}]}]}`, sat)
}

// pays returns a proposal of alice that spends an amount together with its fee.
func pays(b *fixture, w wallet.Wallet, n int, amount btc.Amount) proposal.Proposal {
	p := proposalFor(b, w, uint32(n), utxoNumber(n))
	p.Outputs[0].Amount, p.Outputs[0].Asked, p.Outputs[1].Amount = amount-p.Fee-50, amount-p.Fee-50, 50
	p.Inputs[0].Amount = amount + p.Outputs[2].Amount
	p.Replaces = ""
	return p
}

// counted returns what counts under a rule.
func (b *fixture) counted(subject, rule string) string {
	return b.rows("SELECT coalesce(sum(counted_sat), 0), coalesce(sum(counts), 0) FROM spends WHERE subject = $1 AND rule = $2", subject, rule)
}

// moveTo changes the status of a proposal.
func (b *fixture) moveTo(p proposal.Proposal, to proposal.Status) {
	b.t.Helper()
	_, err := b.UpdateProposal(b.t.Context(), p.WalletID, p.ID, func(u *proposal.Update) error {
		u.Status, u.Changed = to, true
		return nil
	})
	testkit.Check(b.t, err)
}

// TestSpends_FollowStatus checks that a payment counts as long as its proposal is open, sent or
// confirmed, whatever happened before.
func TestSpends_FollowStatus(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(10_000))
		first := pays(b, w, 1, 7000)
		testkit.Check(t, b.propose(first))
		wantFault(t, b.propose(pays(b, w, 2, 3001)), proposal.ErrPolicyRefused)
		testkit.Check(t, b.propose(pays(b, w, 2, 3000)))
		for _, to := range []proposal.Status{proposal.Cancelled, proposal.Broadcast, proposal.Conflicted, proposal.Confirmed, proposal.Expired, proposal.Created, proposal.Rejected, proposal.Complete, proposal.Replaced} {
			b.moveTo(first, to)
			want := "3000 1"
			if to.Active() {
				want = "10000 2"
			}
			if got := b.counted(subject, "day"); got != want {
				t.Errorf("%s: %s counts, want %s", to, got, want)
			}
		}
		b.now = b.now.Add(24*time.Hour - time.Microsecond)
		wantFault(t, b.propose(pays(b, w, 3, 7001)), proposal.ErrPolicyRefused)
		b.now = b.now.Add(time.Microsecond)
		testkit.Check(t, b.propose(pays(b, w, 3, 7001)))
	})
}

// TestSpends_PolicySetAgain checks that a payment counts for a rule by its name: also after the policy was
// deleted and set again, but not for a renamed rule, and not if it was created without a policy.
func TestSpends_PolicySetAgain(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(10_000))
		testkit.Check(t, b.propose(pays(b, w, 1, 7000)))
		b.exec("DELETE FROM policies WHERE subject = $1", subject)
		testkit.Check(t, b.propose(pays(b, w, 2, 5000)))
		b.setPolicy(subject, dayLimit(10_000))
		wantFault(t, b.propose(pays(b, w, 3, 3001)), proposal.ErrPolicyRefused)
		b.setPolicy(subject, strings.Replace(dayLimit(10_000), `"day"`, `"today"`, 1))
		testkit.Check(t, b.propose(pays(b, w, 3, 10_000)))
		b.setPolicy(subject, dayLimit(10_000))
		testkit.Check(t, b.propose(pays(b, w, 4, 3000)))
	})
}

// TestSpends_Replacements checks that a replacement is charged only for the difference, and that
// a payment that was sent counts until it cannot be confirmed any more.
func TestSpends_Replacements(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		subject := "wallet:" + w.ID
		b.setPolicy(subject, dayLimit(10_000))
		first := pays(b, w, 1, 9000)
		testkit.Check(t, b.propose(first))
		replace := func(old proposal.Proposal, change int, amount btc.Amount) proposal.Proposal {
			p := pays(b, w, change, amount)
			p.Inputs, p.ReplacesID, p.Replaces = old.Inputs, old.ID, old.Txid
			return p
		}
		wantFault(t, b.propose(replace(first, 2, 10_001)), proposal.ErrPolicyRefused)
		second := replace(first, 2, 10_000)
		testkit.Check(t, b.propose(second))
		if got := b.counted(subject, "day"); got != "10000 1" {
			t.Errorf("an open proposal and its replacement count %s", got)
		}
		b.moveTo(second, proposal.Broadcast)
		third := replace(second, 3, 2000)
		testkit.Check(t, b.propose(third))
		if got := b.counted(subject, "day"); got != "10000 1" {
			t.Errorf("a payment that was sent and a smaller replacement count %s", got)
		}
		wantFault(t, b.propose(pays(b, w, 9, 600)), proposal.ErrPolicyRefused)
		b.moveTo(third, proposal.Broadcast)
		b.moveTo(second, proposal.Replaced)
		if got := b.counted(subject, "day"); got != "2000 1" {
			t.Errorf("after the replacement was sent %s counts", got)
		}
		b.moveTo(third, proposal.Conflicted)
		b.moveTo(second, proposal.Confirmed)
		if got := b.counted(subject, "day"); got != "10000 1" {
			t.Errorf("after the replaced payment was confirmed %s counts", got)
		}
	})
}

// TestPolicies_Layers checks that the server, the wallet, the member, the token and its
// ancestors must all permit a payment.
func TestPolicies_Layers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w, other := b.wallet(alice, "vault"), b.wallet(alice, "other")
		parent := b.token(alice, "parent", "")
		child := b.token(alice, "child", parent.ID)
		stranger := b.token(alice, "stranger", "")
		b.exec("UPDATE tokens SET policy = $1, policy_id = 'pp' WHERE token_id = $2", dayLimit(4000), parent.ID)
		b.exec("UPDATE tokens SET policy = $1, policy_id = 'pc' WHERE token_id = $2", dayLimit(3000), child.ID)
		b.setPolicy("server", dayLimit(20_000))
		b.setPolicy("wallet:"+w.ID, dayLimit(10_000))
		b.setPolicy("member:"+w.ID+":"+alice.ID, dayLimit(8000))
		n := 0
		try := func(in wallet.Wallet, token string, amount btc.Amount) error {
			n++
			p := pays(b, in, n, amount)
			p.Creator = proposal.Actor{UserID: alice.ID, UserName: alice.Name, TokenID: token}
			return b.propose(p)
		}
		refused := func(err error, layer string) {
			t.Helper()
			f, ok := errors.AsType[*fault.Error](err)
			if !ok || !errors.Is(err, proposal.ErrPolicyRefused) || len(f.Limits) != 1 || f.Limits[0].Layer != layer {
				t.Errorf("got %v, want a refusal by the %s", err, layer)
			}
		}
		refused(try(w, child.ID, 3001), "token")
		testkit.Check(t, try(w, child.ID, 3000))
		refused(try(w, parent.ID, 1001), "token") // the child's payments count for it
		testkit.Check(t, try(w, parent.ID, 1000))
		testkit.Check(t, try(w, stranger.ID, 4000))
		refused(try(w, "", 600), "member")
		testkit.Check(t, try(other, "", 12_000))
		refused(try(other, "", 600), "server")
		b.exec("DELETE FROM policies")
		wantFault(t, try(w, "revoked", 600), auth.ErrUnauthenticated)
		testkit.Check(t, try(w, "", 600))
	})
}

// TestPolicies_Concurrent checks that concurrent proposals in several processes never exceed a
// limit, and that the limit can be used up.
func TestPolicies_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		b.setPolicy("wallet:"+w.ID, dayLimit(5000))
		stores := []*store.Store{b.Store}
		if b.engine == "pgx" {
			stores = append(stores, b.reopen())
		}
		var wait sync.WaitGroup
		var mu sync.Mutex
		made := 0
		for i := range 12 {
			wait.Go(func() {
				s := stores[i%len(stores)]
				_, err := s.AddProposal(t.Context(), pays(b, w, i+1, 1000), b.moment(), nil, auth.Event{At: b.now, Action: "proposal.create"})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made++
				case !errors.Is(err, proposal.ErrPolicyRefused):
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if got := b.counted("wallet:"+w.ID, "day"); made != 5 || got != "5000 5" {
			t.Errorf("%d proposals, and %s counts", made, got)
		}
	})
}
