package spend_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/spend"
	"github.com/specterd/specterd/internal/wallet"
)

// What the chain says comes before all else, and is taken back when the chain takes
// it back.
func TestSettle(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	own := func(status wallet.Status) spend.Spender {
		return spend.Spender{Txid: "signed", UnsignedTxid: "unsigned", Status: status}
	}
	rival := func(status wallet.Status, replacement string) spend.Spender {
		return spend.Spender{Txid: "rival", UnsignedTxid: "unsigned rival", Status: status, Replacement: replacement}
	}
	for _, c := range []struct {
		name     string
		was      spend.Status
		spenders []spend.Spender
		want     spend.Status
	}{
		{"nothing happened", spend.Created, nil, spend.Created},
		{"sent elsewhere", spend.PartiallySigned, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast},
		{"sent after it was cancelled", spend.Cancelled, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast},
		{"confirmed after it had expired", spend.Expired, []spend.Spender{own(wallet.Confirmed)}, spend.Confirmed},
		{"confirmed", spend.Broadcast, []spend.Spender{own(wallet.Confirmed)}, spend.Confirmed},
		{"reorganized", spend.Confirmed, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast},
		{"reorganized, out of the mempool", spend.Confirmed, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast},
		{"dropped by the mempool", spend.Broadcast, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast},
		{"a rival waits", spend.Created, []spend.Spender{rival(wallet.InMempool, "")}, spend.Created},
		{"a rival is confirmed", spend.Complete, []spend.Spender{rival(wallet.Confirmed, "")}, spend.Conflicted},
		{"a rival is dead", spend.Complete, []spend.Spender{rival(wallet.Conflicted, "")}, spend.Complete},
		{"a rival is confirmed instead", spend.Broadcast, []spend.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "")}, spend.Conflicted},
		{"its replacement waits", spend.Broadcast, []spend.Spender{own(wallet.Replaced), rival(wallet.InMempool, "x")}, spend.Replaced},
		{"its replacement is confirmed", spend.Replaced, []spend.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "x")}, spend.Replaced},
		{"it is confirmed and not its replacement", spend.Replaced, []spend.Spender{own(wallet.Confirmed), rival(wallet.Conflicted, "x")}, spend.Confirmed},
		{"its replacement was dropped", spend.Replaced, []spend.Spender{own(wallet.Inactive), rival(wallet.Inactive, "x")}, spend.Broadcast},
	} {
		p := spend.Proposal{Status: c.was, Txid: "unsigned", Reason: "it was cancelled"}
		changed := p.Settle(c.spenders, now)
		if p.Status != c.want || changed != (c.was != c.want) {
			t.Errorf("%s: from %s to %s, changed: %t", c.name, c.was, p.Status, changed)
		}
		if changed != (len(p.Steps) == 1) {
			t.Errorf("%s: %d steps", c.name, len(p.Steps))
		}
		if wantReason := p.Status == spend.Conflicted || p.Status == spend.Replaced; changed && wantReason != (p.Reason != "") {
			t.Errorf("%s: the reason is %q", c.name, p.Reason)
		}
		if (p.Status == spend.Confirmed || p.Status == spend.Broadcast) && changed && p.FinalTxid != "signed" {
			t.Errorf("%s: the txid is %q", c.name, p.FinalTxid)
		}
	}
}
