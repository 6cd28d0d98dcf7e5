package store_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/idempotency"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// adder adds the n-th object that a quota limits.
type adder func(n int) error

// quotaCase is a quota with functions that add and remove objects of a user.
type quotaCase struct {
	quota  auth.Quota
	setUp  func(b *fixture, u auth.User) adder
	remove func(b *fixture, u auth.User) // removes one object
}

func eventBy(b *fixture, u auth.User) auth.Event {
	return auth.Event{At: b.now, UserID: u.ID, UserName: u.Name, Action: "test"}
}

var quotaCases = []quotaCase{
	{auth.QuotaWallets, func(b *fixture, u auth.User) adder {
		return func(n int) error {
			w, addresses := walletFor(b.now)
			return b.AddWallet(b.t.Context(), w, u.ID, fmt.Sprint("w", n), addresses, eventBy(b, u))
		}
	}, func(b *fixture, u auth.User) {
		testkit.Check(b.t, b.DeleteWallet(b.t.Context(), b.rows("SELECT min(wallet_id) FROM members WHERE user_id = $1", u.ID), auth.Event{}))
	}},
	{auth.QuotaTokens, func(b *fixture, u auth.User) adder {
		return func(n int) error {
			return b.CreateToken(b.t.Context(), operator, tokenFor(u, fmt.Sprint("t", n), "", b.now), eventBy(b, u))
		}
	}, func(b *fixture, u auth.User) {
		id := b.rows("SELECT min(token_id) FROM tokens WHERE user_id = $1", u.ID)
		testkit.Check(b.t, b.DeleteToken(b.t.Context(), u.ID, id, "", func(*auth.Deletion) error { return nil }))
	}},
	{auth.QuotaProposals, func(b *fixture, u auth.User) adder {
		w := b.wallet(b.user("owner of "+u.Name, false), "vault")
		return func(n int) error {
			p := proposalFor(b, w, uint32(n), utxoNumber(100+n))
			p.Creator = proposal.Actor{UserID: u.ID, UserName: u.Name}
			_, err := b.AddProposal(b.t.Context(), p, b.moment(), nil, eventBy(b, u))
			return err
		}
	}, func(b *fixture, u auth.User) {
		b.exec("UPDATE proposals SET status = 'cancelled' WHERE proposal_id = (SELECT min(proposal_id) FROM proposals WHERE user_id = $1 AND status = 'created')", u.ID)
	}},
	{auth.QuotaRescans, func(b *fixture, u auth.User) adder {
		return func(n int) error {
			w := b.idleWallet(fmt.Sprint("other of ", u.Name, n))
			_, err := b.EditWallet(b.t.Context(), w.ID, func(e *wallet.Edit) error {
				e.StartRescan(1)
				e.RescanUser, e.Caller, e.Queued = u.ID, &auth.Principal{UserID: u.ID}, true
				return nil
			})
			return err
		}
	}, func(b *fixture, u auth.User) {
		b.exec("UPDATE wallets SET rescan_from = NULL WHERE wallet_id = (SELECT min(wallet_id) FROM wallets WHERE rescan_user = $1 AND rescan_from IS NOT NULL)", u.ID)
	}},
	{auth.QuotaIdempotencyKeys, func(b *fixture, u auth.User) adder {
		return func(n int) error {
			_, _, err := idempotency.New(b.Store, func() time.Time { return b.now }, nil).Begin(b.t.Context(), keyed(u, fmt.Sprint("k", n), "a"))
			return err
		}
	}, func(b *fixture, u auth.User) {
		b.exec("DELETE FROM idempotency WHERE user_id = $1 AND idempotency_key = (SELECT min(idempotency_key) FROM idempotency WHERE user_id = $1)", u.ID)
	}},
	{auth.QuotaInvitations, func(b *fixture, u auth.User) adder {
		w := b.wallet(u, "vault")
		return func(n int) error {
			return b.EditMembers(b.t.Context(), auth.Operator("test"), w.ID, func(e *wallet.MemberEdit) error {
				e.Invitations = append(e.Invitations, wallet.Invitation{
					ID: uuid.NewString(), WalletID: w.ID, UserName: fmt.Sprint("guest ", n), Role: auth.RoleViewer, InviterID: u.ID,
					CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour),
				})
				return nil
			})
		}
	}, func(b *fixture, u auth.User) {
		b.exec("DELETE FROM invitations WHERE invitation_id = (SELECT min(invitation_id) FROM invitations WHERE invited_by = $1)", u.ID)
	}},
	{auth.QuotaWebhooks, func(b *fixture, u auth.User) adder {
		return func(n int) error {
			w := webhook.Webhook{ID: uuid.NewString(), UserID: u.ID, Description: fmt.Sprint("hook ", n), URL: "https://shop.example/", Order: webhook.OrderWallet, CreatedAt: b.now}
			return b.AddWebhook(b.t.Context(), b.byPassword(u.Name), w, webhook.Secret{Key: fmt.Sprint("key ", n), CreatedAt: b.now}, eventBy(b, u))
		}
	}, func(b *fixture, u auth.User) {
		b.exec("DELETE FROM webhooks WHERE webhook_id = (SELECT min(webhook_id) FROM webhooks WHERE user_id = $1)", u.ID)
	}},
	{auth.QuotaLabels, func(b *fixture, u auth.User) adder {
		w := b.wallet(u, "vault")
		return func(n int) error {
			return b.SetLabels(b.t.Context(), w.ID, []btc.Label{{Type: "tx", Ref: fmt.Sprint(n), Label: new("x")}}, eventBy(b, u))
		}
	}, func(b *fixture, _ auth.User) { b.exec("DELETE FROM labels WHERE ref = (SELECT min(ref) FROM labels)") }},
	{auth.QuotaFrozen, func(b *fixture, u auth.User) adder {
		w := b.wallet(u, "vault")
		return func(n int) error {
			return b.SetFrozen(b.t.Context(), w.ID, []btc.Outpoint{utxoNumber(n)}, true, b.now, eventBy(b, u))
		}
	}, func(b *fixture, _ auth.User) {
		b.exec("DELETE FROM frozen WHERE txid = (SELECT min(txid) FROM frozen)")
	}},
}

// limit sets the limit of a quota for a user.
func (b *fixture) limit(u auth.User, quota auth.Quota, limit int64) {
	b.t.Helper()
	_, err := b.EditUser(b.t.Context(), operator, u.Name, func(e *auth.UserEdit) error {
		e.Quotas = auth.Limits{quota: limit}
		e.Event = auth.Event{At: b.now, Action: "user.change"}
		return nil
	})
	testkit.Check(b.t, err)
}

func (b *fixture) use(u auth.User, quota auth.Quota) auth.QuotaUse {
	b.t.Helper()
	uses, err := b.QuotaUse(b.t.Context(), u.ID)
	testkit.Check(b.t, err)
	for _, use := range uses {
		if use.Quota == quota {
			return use
		}
	}
	b.t.Fatalf("unknown quota %s", quota)
	return auth.QuotaUse{}
}

func wantExceeded(t *testing.T, err error, quota auth.Quota, limit string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != "quota_exceeded" || f.Kind != fault.Conflict || f.Details["quota"] != string(quota) || f.Details["limit"] != limit ||
		!strings.Contains(f.Message, limit) || !strings.Contains(f.Message, "ask an admin") {
		t.Errorf("%v", err)
	}
}

// onEachQuota runs a test for each quota, on both databases.
func onEachQuota(t *testing.T, test func(t *testing.T, b *fixture, c quotaCase)) {
	t.Helper()
	for _, c := range quotaCases {
		t.Run(string(c.quota), func(t *testing.T) {
			onBothEngines(t, func(t *testing.T, b *fixture) { test(t, b, c) })
		})
	}
}

func TestQuota(t *testing.T) {
	onEachQuota(t, func(t *testing.T, b *fixture, c quotaCase) {
		u := b.user("alice", false)
		add := c.setUp(b, u)
		if use := b.use(u, c.quota); use.Own || use.Limit != use.Default {
			t.Errorf("without a setting: %+v", use)
		}
		for n := range 3 {
			testkit.Check(t, add(n))
		}
		if use := b.use(u, c.quota); use.Used != 3 {
			t.Errorf("used %d", use.Used)
		}
		// A limit below the current number removes no objects.
		b.limit(u, c.quota, 2)
		wantExceeded(t, add(3), c.quota, "2")
		if use := b.use(u, c.quota); use.Used != 3 || use.Limit != 2 || !use.Own {
			t.Errorf("above the limit: %+v", use)
		}
		c.remove(b, u)
		wantExceeded(t, add(4), c.quota, "2")
		c.remove(b, u)
		testkit.Check(t, add(5))
		wantExceeded(t, add(6), c.quota, "2")
		b.limit(u, c.quota, 3)
		testkit.Check(t, add(7))
		wantExceeded(t, add(8), c.quota, "3")
	})
}

func TestQuota_Concurrent(t *testing.T) {
	onEachQuota(t, func(t *testing.T, b *fixture, c quotaCase) {
		u := b.user("alice", false)
		add := c.setUp(b, u)
		testkit.Check(t, add(0))
		b.limit(u, c.quota, 2)
		const attempts = 4
		var all sync.WaitGroup
		results := make(chan error, attempts)
		for n := range attempts {
			all.Go(func() { results <- add(n + 1) })
		}
		all.Wait()
		close(results)
		passed := 0
		for err := range results {
			if err == nil {
				passed++
				continue
			}
			wantExceeded(t, err, c.quota, "2")
		}
		if passed != 1 {
			t.Errorf("%d passed", passed)
		}
	})
}

// TestQuota_ServerDefault checks that the server's limits apply to users without limits of
// their own.
func TestQuota_ServerDefault(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		b.options.Quotas = auth.Limits{auth.QuotaTokens: 1}
		b.Store = b.reopen()
		alice, bob := b.user("alice", false), b.user("bob", false)
		b.limit(bob, auth.QuotaTokens, 2)
		b.token(alice, "a", "")
		wantExceeded(t, b.CreateToken(t.Context(), operator, tokenFor(alice, "b", "", b.now), auth.Event{}), auth.QuotaTokens, "1")
		b.token(bob, "a", "")
		b.token(bob, "b", "")
		wantExceeded(t, b.CreateToken(t.Context(), operator, tokenFor(bob, "c", "", b.now), auth.Event{}), auth.QuotaTokens, "2")
		// Without a grace period, the successor replaces its predecessor and does not
		// count in addition.
		rotate(b, alice, b.rows("SELECT token_id FROM tokens WHERE user_id = $1", alice.ID), false, time.Time{})
		if use := b.use(alice, auth.QuotaTokens); use.Used != 1 || use.Limit != 1 || use.Own {
			t.Errorf("%+v", use)
		}
	})
}

// TestQuota_OtherWays checks that a wallet that a user joins counts, and that a token and its
// successor both count during a grace period.
func TestQuota_OtherWays(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		b.limit(bob, auth.QuotaWallets, 1)
		join := func(alias string) error {
			w := b.wallet(alice, alias)
			return b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
				e.Members = append(e.Members, wallet.Member{UserID: bob.ID, Role: auth.RoleViewer, Alias: alias, CreatedAt: b.now})
				return nil
			})
		}
		testkit.Check(t, join("first"))
		wantExceeded(t, join("second"), auth.QuotaWallets, "1")
		if use := b.use(bob, auth.QuotaWallets); use.Used != 1 {
			t.Errorf("%d wallets", use.Used)
		}

		old := b.token(alice, "a", "")
		b.limit(alice, auth.QuotaTokens, 1)
		err := b.RotateToken(t.Context(), b.caller(old.ID), old.ID, func(r *auth.Rotation) error {
			r.Successor, r.RetireAt, r.RetiredAs, r.ByToken = tokenFor(alice, "a", "", b.now), old.ExpiresAt, "old", true
			r.Successor.RotatedFrom = old.ID
			return nil
		})
		wantExceeded(t, err, auth.QuotaTokens, "1")
		if use := b.use(alice, auth.QuotaTokens); use.Used != 1 {
			t.Errorf("%d tokens", use.Used)
		}
	})
}

// TestQuota_Labels checks that only new labels count, and deleted ones do not.
func TestQuota_Labels(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "vault")
		set := func(pairs ...string) error {
			var labels []btc.Label
			for i := 0; i < len(pairs); i += 2 {
				labels = append(labels, btc.Label{Type: "tx", Ref: pairs[i], Label: &pairs[i+1]})
			}
			return b.SetLabels(t.Context(), w.ID, labels, eventBy(b, u))
		}
		b.limit(u, auth.QuotaLabels, 3)
		testkit.Check(t, set("a", "1", "b", "1", "a", "2"))
		if use := b.use(u, auth.QuotaLabels); use.Used != 2 {
			t.Errorf("used %d, not 2", use.Used)
		}
		wantExceeded(t, set("c", "1", "d", "1"), auth.QuotaLabels, "3")
		testkit.Check(t, set("a", "3", "b", "", "c", "1", "d", "1", "none", ""))
		wantExceeded(t, set("b", "1"), auth.QuotaLabels, "3")
		testkit.Check(t, set("a", "4", "c", "5"))
		testkit.Check(t, set("a", ""))
		testkit.Check(t, set("b", "1"))
		if use := b.use(u, auth.QuotaLabels); use.Used != 3 {
			t.Errorf("used %d, not 3", use.Used)
		}
		// The command line is not limited, but labels that it adds count for the wallet.
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "addr", Ref: "e", Label: new("x")}}, auth.Event{}))
		if use := b.use(u, auth.QuotaLabels); use.Used != 4 {
			t.Errorf("used %d, not 4", use.Used)
		}
	})
}

// TestQuota_Addresses checks the quota for the highest address index that can be revealed
// or requested.
func TestQuota_Addresses(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "vault")
		b.limit(u, auth.QuotaAddresses, 5)
		reach := func(far uint32) error {
			_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error {
				e.ReceiveNext, e.Caller, e.Reached = far, &auth.Principal{UserID: u.ID}, far
				return nil
			})
			return err
		}
		testkit.Check(t, reach(5))
		wantExceeded(t, reach(6), auth.QuotaAddresses, "5")
		if use := b.use(u, auth.QuotaAddresses); use.Used != 5 || b.load(w).ReceiveNext != 5 {
			t.Errorf("used %d", use.Used)
		}
	})
}

// TestQuota_DeletedObjects checks that deleted users and wallets leave no quota rows.
func TestQuota_DeletedObjects(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		w := b.wallet(u, "vault")
		testkit.Check(t, b.SetLabels(t.Context(), w.ID, []btc.Label{{Type: "tx", Ref: "a", Label: new("x")}}, eventBy(b, u)))
		testkit.Check(t, b.DeleteWallet(t.Context(), w.ID, auth.Event{}))
		removeUser(b, u.Name)
		if n := b.count("SELECT count(*) FROM quota_use"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// idleWallet adds a wallet with a new owner and without a pending rescan.
func (b *fixture) idleWallet(owner string) wallet.Wallet {
	b.t.Helper()
	w := b.wallet(b.user(owner+uuid.NewString(), false), "vault")
	w, err := b.EditWallet(b.t.Context(), w.ID, func(e *wallet.Edit) error { e.EndRescan(""); return nil })
	testkit.Check(b.t, err)
	return w
}
