package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// rangeEnd is the number of addresses on each branch of the wallets in these tests.
const rangeEnd = 30

// walletFor returns a new wallet with two keys, and its addresses.
func walletFor(now time.Time) (wallet.Wallet, []wallet.Address) {
	id := uuid.NewString()
	w := wallet.Wallet{
		ID: id, Name: "The " + id[:4], Stage: wallet.Creating, CoreName: "specterd/" + id, Script: "wsh", SignaturesRequired: 2,
		Receive: "wsh(sortedmulti(2,…/0/*))#aaaaaaaa", Change: "wsh(sortedmulti(2,…/1/*))#bbbbbbbb",
		Keys: []wallet.Key{
			{Key: btc.Key{Original: "Vpub1", Fingerprint: "f2697885", Derivation: "m/48h/1h/0h/2h", XPub: "tpub1" + id, Type: "wsh", Purpose: "Multisig (Segwit)"}, Device: "f2697885"},
			{Key: btc.Key{Original: "tpub2", Fingerprint: "0badcafe", Derivation: "m", XPub: "tpub2" + id, Purpose: "General"}, Device: "0badcafe"},
		},
		Birthday: 800_000, CreatedAt: now, RangeEnd: rangeEnd, ReceiveNext: 1, ChangeNext: 2, FinalAfter: wallet.DefaultFinalAfter, RescanFrom: 799_000,
		Synced: wallet.Tip{Height: -1}, CoreTxCount: -1,
	}
	return w, addressesFor(id, 0, rangeEnd)
}

func addressesFor(walletID string, from, to uint32) []wallet.Address {
	var out []wallet.Address
	for _, branch := range []wallet.Branch{wallet.ReceiveBranch, wallet.ChangeBranch} {
		for i := from; i < to; i++ {
			at := wallet.Place{Branch: branch, Index: i}
			out = append(out, wallet.Address{Address: addressAt(walletID, at), Place: at})
		}
	}
	return out
}

func addressAt(walletID string, at wallet.Place) string {
	return fmt.Sprintf("bcrt1q%s%d%d", strings.ReplaceAll(walletID, "-", ""), at.Branch, at.Index)
}

// wallet adds a wallet that is ready, with an owner.
func (b *fixture) wallet(owner auth.User, alias string) wallet.Wallet {
	b.t.Helper()
	w, addresses := walletFor(b.now)
	testkit.Check(b.t, b.AddWallet(b.t.Context(), w, owner.ID, alias, addresses, auth.Event{At: b.now, Action: "wallet.create"}))
	w, err := b.EditWallet(b.t.Context(), w.ID, func(e *wallet.Edit) error { e.Stage = wallet.Ready; return nil })
	testkit.Check(b.t, err)
	return w
}

func (b *fixture) join(w wallet.Wallet, u auth.User, role auth.WalletRole, alias string) {
	b.t.Helper()
	testkit.Check(b.t, b.EditMembers(b.t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
		e.Members = append(e.Members, wallet.Member{UserID: u.ID, Role: role, Alias: alias, CreatedAt: b.now})
		return nil
	}))
}

// invite adds an invitation to a wallet by one of its members.
func (b *fixture) invite(w wallet.Wallet, by auth.User, name string) wallet.Invitation {
	b.t.Helper()
	i := wallet.Invitation{
		ID: uuid.NewString(), WalletID: w.ID, WalletName: w.Name, UserName: name, Role: auth.RoleSigner,
		InviterID: by.ID, InviterName: by.Name, InviterActive: true, CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour),
	}
	testkit.Check(b.t, b.EditMembers(b.t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
		e.Invitations = append(e.Invitations, i)
		return nil
	}))
	return i
}

func TestWallets_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		want, addresses := walletFor(b.now)
		testkit.Check(t, b.AddWallet(t.Context(), want, u.ID, "vault", addresses, auth.Event{At: b.now, Action: "wallet.create"}))
		for i := range want.Keys {
			want.Keys[i].DeviceName, want.Keys[i].DeviceOwner = want.Keys[i].Fingerprint, u.ID // of the new device
		}
		got, err := b.WalletByID(t.Context(), want.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		all, err := b.AllWallets(t.Context())
		testkit.Check(t, err)
		if diff := cmp.Diff([]wallet.Wallet{want}, all); diff != "" {
			t.Error(diff)
		}
		if n := b.count("SELECT count(*) FROM addresses WHERE NOT used"); n != 2*rangeEnd {
			t.Errorf("%d addresses", n)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'wallet.create'"); n != 1 {
			t.Errorf("%d entries in the audit record", n)
		}
		_, err = b.WalletByID(t.Context(), "none")
		wantFault(t, err, wallet.ErrNotFound)

		// The wallet's row exists but is not visible to users yet.
		_, err = b.View(t.Context(), u.ID, want.ID)
		wantFault(t, err, wallet.ErrNotFound)
		views, err := b.ViewsOfUser(t.Context(), u.ID, "", 0)
		testkit.Check(t, err)
		members, err := b.Memberships(t.Context(), u.ID)
		testkit.Check(t, err)
		if len(views) != 0 || len(members) != 0 {
			t.Error("a wallet is seen before it is ready")
		}

		other, otherAddresses := walletFor(b.now)
		err = b.AddWallet(t.Context(), other, u.ID, "vault", otherAddresses, auth.Event{Action: "nothing"})
		wantFault(t, err, wallet.ErrAliasTaken)
		if n := b.count("SELECT count(*) FROM wallets"); n != 1 {
			t.Error("a refused wallet left a row")
		}
		err = b.AddWallet(t.Context(), other, uuid.NewString(), "x", otherAddresses, auth.Event{})
		if err == nil {
			t.Error("a wallet was left without an owner")
		}
	})
}

func TestDevicesOfWallets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		b.exec("INSERT INTO devices (device_id, user_id, alias, name, type, created_at) VALUES ('d1', $1, 'trezor', 'Trezor', 'trezor', 1), ('d2', $1, '0badcafe', 'x', 'other', 1)", alice.ID)
		b.exec("INSERT INTO device_keys (device_id, fingerprint, derivation, xpub, original, type, purpose) VALUES ('d1', 'f2697885', 'm/84h', 'x', 'x', '', '')")
		devices := func(w wallet.Wallet) string {
			return w.Keys[0].Device + " " + w.Keys[1].Device
		}
		// The first key has the fingerprint of a known device. The fingerprint of the second
		// key is already the alias of another device.
		for range 2 {
			if got := devices(b.wallet(alice, uuid.NewString())); got != "trezor 0badcafe_2" {
				t.Errorf("got %s", got)
			}
		}
		if got := devices(b.wallet(bob, "w")); got != "f2697885 0badcafe" {
			t.Errorf("another user's: got %s", got)
		}
		if n := b.count("SELECT count(*) FROM device_keys WHERE device_id = 'd1'"); n != 3 {
			t.Errorf("the device has %d keys, want its own and two from wallets", n)
		}
		removeUser(b, "alice")
		if n := b.count("SELECT count(*) FROM devices"); n != 2 {
			t.Errorf("%d devices are left, want bob's", n)
		}
		all, err := b.AllWallets(t.Context())
		testkit.Check(t, err)
		for _, w := range all {
			if len(w.Keys) != 2 {
				t.Error("a wallet lost keys with its devices")
			}
		}
	})
}

func TestEditWallet(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		want := w
		want.Name, want.Stage, want.Birthday, want.RescanFrom, want.RescanProgress = "Other", wallet.Removing, 3, -1, 0.5
		want.ReceiveNext, want.ChangeNext, want.Problem, want.DeleteFiles = 7, 8, "lost", true
		edited, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error {
			e.Wallet = want
			e.Event = auth.Event{At: b.now, Action: "wallet.change"}
			return nil
		})
		testkit.Check(t, err)
		got, err := b.WalletByID(t.Context(), w.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(want, got) + cmp.Diff(want, edited); diff != "" {
			t.Error(diff)
		}
		refusal := errors.New("no")
		_, err = b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.Name = "x"; return refusal })
		if !errors.Is(err, refusal) || b.count("SELECT count(*) FROM wallets WHERE name = 'x'") != 0 {
			t.Errorf("got %v", err)
		}
		_, err = b.EditWallet(t.Context(), "none", func(*wallet.Edit) error { t.Error("called"); return nil })
		wantFault(t, err, wallet.ErrNotFound)
		if n := b.count("SELECT count(*) FROM audit WHERE action LIKE 'wallet.%'"); n != 2 {
			t.Errorf("%d entries in the audit record, want two: its creation and its change", n)
		}
	})
}

// TestEditWallet_Concurrent checks that concurrent edits are not lost, so
// that no address is revealed twice.
func TestEditWallet_Concurrent(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 5 {
					_, err := b.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.ReceiveNext++; return nil })
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if got, err := b.WalletByID(t.Context(), w.ID); err != nil || got.ReceiveNext != w.ReceiveNext+40 {
			t.Errorf("got %d, %v", got.ReceiveNext, err)
		}
	})
}

func TestExtendRange(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		for _, end := range []uint32{2 * rangeEnd, 2 * rangeEnd, rangeEnd} {
			testkit.Check(t, b.ExtendRange(t.Context(), w.ID, end, addressesFor(w.ID, rangeEnd/2, end)))
			got, err := b.WalletByID(t.Context(), w.ID)
			testkit.Check(t, err)
			if got.RangeEnd != 2*rangeEnd || b.count("SELECT count(*) FROM addresses") != 4*rangeEnd {
				t.Errorf("the range ends at %d", got.RangeEnd)
			}
		}
		testkit.Check(t, b.ExtendRange(t.Context(), "none", 5, addressesFor("none", 0, 5)))
	})
}

func TestViewsOfUser(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		var mine []wallet.Wallet
		for _, alias := range []string{"c", "a", "b"} {
			mine = append(mine, b.wallet(alice, alias))
		}
		b.wallet(bob, "a")
		b.join(mine[0], bob, auth.RoleViewer, "shared")
		seen := func(u auth.User, after string, limit int) string {
			t.Helper()
			views, err := b.ViewsOfUser(t.Context(), u.ID, after, limit)
			testkit.Check(t, err)
			var out []string
			for _, v := range views {
				one, err := b.View(t.Context(), u.ID, v.ID)
				testkit.Check(t, err)
				if diff := cmp.Diff(v, one); diff != "" || len(v.Keys) != 2 {
					t.Error(diff, v.Keys)
				}
				out = append(out, v.Alias+":"+string(v.Role))
			}
			return strings.Join(out, " ")
		}
		for _, x := range []struct {
			who   auth.User
			after string
			limit int
			want  string
		}{
			{alice, "", 0, "a:owner b:owner c:owner"},
			{alice, "", 2, "a:owner b:owner"},
			{alice, "b", 2, "c:owner"},
			{bob, "", 0, "a:owner shared:viewer"},
		} {
			t.Run(x.after, func(t *testing.T) {
				if got := seen(x.who, x.after, x.limit); got != x.want {
					t.Errorf("%s after %q: got %q, want %q", x.who.Name, x.after, got, x.want)
				}
			})
		}
		_, err := b.View(t.Context(), bob.ID, mine[1].ID)
		wantFault(t, err, wallet.ErrNotFound)
		got, err := b.Memberships(t.Context(), bob.ID)
		testkit.Check(t, err)
		want := auth.Membership{WalletID: mine[0].ID, Name: mine[0].Name, Alias: "shared", Role: auth.RoleViewer}
		if len(got) != 2 || got[1] != want {
			t.Errorf("got %v", got)
		}
		_, err = b.EditWallet(t.Context(), mine[0].ID, func(e *wallet.Edit) error { e.Stage = wallet.Removing; return nil })
		testkit.Check(t, err)
		if got := seen(bob, "", 0); got != "a:owner" {
			t.Errorf("while the wallet is removed: got %q", got)
		}
	})
}

func TestMembers(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		carol, alice, bob := b.user("Carol", false), b.user("alice", false), b.user("bob", false)
		w := b.wallet(carol, "vault")
		b.wallet(bob, "till")
		b.join(w, alice, auth.RoleSigner, "a")
		b.join(w, bob, auth.RoleViewer, "b")
		names := func() string {
			members, err := b.Members(t.Context(), w.ID)
			testkit.Check(t, err)
			var out []string
			for _, m := range members {
				out = append(out, fmt.Sprint(m.UserName, " ", m.Role, " ", m.Alias, " ", m.CreatedAt.Equal(b.now)))
			}
			return strings.Join(out, ", ")
		}
		if got := names(); got != "alice signer a true, bob viewer b true, Carol owner vault true" {
			t.Errorf("got %s", got)
		}
		edit := func(do func(*wallet.MemberEdit)) error {
			return b.EditMembers(t.Context(), operator, w.ID, func(e *wallet.MemberEdit) error {
				do(e)
				e.Event = auth.Event{At: b.now, Action: "members"}
				return nil
			})
		}
		wantFault(t, edit(func(e *wallet.MemberEdit) { e.Members[1].Alias = "till" }), wallet.ErrAliasTaken)
		wantFault(t, edit(func(e *wallet.MemberEdit) {
			e.Members = append(e.Members, wallet.Member{UserID: uuid.NewString(), Role: auth.RoleOwner, Alias: "x"})
		}), auth.ErrUserNotFound)
		wantFault(t, b.EditMembers(t.Context(), operator, "none", func(*wallet.MemberEdit) error { t.Error("called"); return nil }), wallet.ErrNotFound)
		testkit.Check(t, edit(func(e *wallet.MemberEdit) {
			e.Members = slices.Delete(e.Members, 0, 1)
			e.Members[0].Role, e.Members[0].Alias = auth.RoleOwner, "new"
		}))
		if got := names(); got != "bob owner new true, Carol owner vault true" {
			t.Errorf("got %s", got)
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'members'"); n != 1 {
			t.Errorf("%d entries in the audit record, want 1", n)
		}
	})
}

func TestDeleteWallet(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		u := b.user("alice", false)
		gone, kept := b.wallet(u, "a"), b.wallet(u, "b")
		testkit.Check(t, b.DeleteWallet(t.Context(), gone.ID, auth.Event{At: b.now, Action: "gone"}))
		wantFault(t, b.DeleteWallet(t.Context(), gone.ID, auth.Event{Action: "gone"}), wallet.ErrNotFound)
		for _, table := range []string{"wallets", "members", "addresses", "wallet_keys"} {
			if n := b.count("SELECT count(*) FROM "+table+" WHERE wallet_id = $1", gone.ID); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
			if n := b.count("SELECT count(*) FROM "+table+" WHERE wallet_id = $1", kept.ID); n == 0 {
				t.Errorf("the other wallet's rows in %s are gone", table)
			}
		}
		if n := b.count("SELECT count(*) FROM audit WHERE action = 'gone'"); n != 1 {
			t.Errorf("%d entries in the audit record, want 1", n)
		}
	})
}

func TestDeleteUser_SoleWallets(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice, bob := b.user("alice", false), b.user("bob", false)
		sole, shared, viewed, going := b.wallet(alice, "a"), b.wallet(alice, "b"), b.wallet(bob, "c"), b.wallet(alice, "d")
		b.join(sole, bob, auth.RoleSigner, "a")
		b.join(shared, bob, auth.RoleOwner, "b")
		b.join(viewed, alice, auth.RoleViewer, "c")
		_, err := b.EditWallet(t.Context(), going.ID, func(e *wallet.Edit) error { e.Stage = wallet.Removing; return nil })
		testkit.Check(t, err)
		_, err = b.EditUser(t.Context(), operator, "alice", func(e *auth.UserEdit) error {
			if want := []string{sole.ID}; !slices.Equal(e.SoleWallets, want) {
				t.Errorf("got %v, want %v", e.SoleWallets, want)
			}
			e.Remove = true
			return nil
		})
		testkit.Check(t, err)
		stages := map[string]wallet.Stage{sole.ID: wallet.Removing, shared.ID: wallet.Ready, viewed.ID: wallet.Ready, going.ID: wallet.Removing}
		all, err := b.AllWallets(t.Context())
		testkit.Check(t, err)
		for _, w := range all {
			if w.Stage != stages[w.ID] {
				t.Errorf("%s is %s, want %s", w.ID, w.Stage, stages[w.ID])
			}
		}
		_, err = b.EditUser(t.Context(), operator, "bob", func(e *auth.UserEdit) error {
			if len(e.SoleWallets) != 2 {
				t.Errorf("bob: got %v", e.SoleWallets)
			}
			e.PasswordHash = "other"
			return nil
		})
		testkit.Check(t, err)
		if w := b.load(shared); w.Stage != wallet.Ready {
			t.Error("a wallet is removed although its owner stays")
		}
	})
}
