package proposal_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// testFreezeBrokenOff checks that a process that is killed while a user freezes or
// unfreezes a UTXO leaves no lock behind in Core.
func testFreezeBrokenOff(w *world) {
	v := w.vault(testkit.WPKH, 1_000_000, 2_000_000)
	t, id := w.t, v.get0().ID
	let, wanted := v.utxo(1_000_000), v.utxo(2_000_000)
	testkit.Check(t, w.wallets.Freeze(t.Context(), w.access(w.alice, v.alias), let, true))
	// Execute only the first steps of both operations: unfreezing stops before Core unlocks
	// the UTXO, and freezing stops before the UTXO is stored as frozen. A killed process no
	// longer holds the keyed mutex.
	done, err := w.wallets.LockSelection(t.Context(), id)
	testkit.Check(t, err)
	testkit.Check(t, w.store.SetFrozen(t.Context(), id, []btc.Outpoint{let}, false, time.Now(), auth.Event{At: time.Now(), Action: "utxo.unfreeze"}))
	testkit.Check(t, w.store.NoteLock(t.Context(), id, []btc.Outpoint{wanted}))
	testkit.Check(t, w.provider.SetLocked(t.Context(), wallet.NodeWallet{Name: v.coreName}, []btc.Outpoint{wanted}, true))
	done()
	w.follower.Kick(id)
	testkit.Eventually(t, "nothing is locked", func() bool { return len(v.locked()) == 0 })

	testkit.Check(t, w.wallets.Freeze(t.Context(), w.access(w.alice, v.alias), wanted, true))
	w.follower.Kick(id)
	testkit.Eventually(t, "the note is gone", func() bool {
		list, err := w.store.Reservations(t.Context(), id)
		testkit.Check(t, err)
		return len(list) == 0
	})
	if locked := v.locked(); len(locked) != 1 || !locked[wanted] {
		t.Errorf("locked: %v, and frozen is %s", locked, wanted)
	}
}

func TestFreeze_Interrupted(t *testing.T) {
	onBoth(t, newNode(t), testFreezeBrokenOff)
}
