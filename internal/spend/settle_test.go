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
		return spend.Spender{Txid: "signed", UnsignedTxid: "unsigned", Status: status, Raw: []byte("raw")}
	}
	rival := func(status wallet.Status, replacement string) spend.Spender {
		return spend.Spender{Txid: "rival", UnsignedTxid: "unsigned rival", Status: status, Replacement: replacement}
	}
	lost := func(status wallet.Status) *spend.Ancestor { return &spend.Ancestor{Txid: "parent", Status: status} }
	for _, c := range []struct {
		name     string
		was      spend.Status
		spenders []spend.Spender
		want     spend.Status
		lost     *spend.Ancestor
		steps    []spend.Status // that it went through before
		taken    bool
	}{
		{"nothing happened", spend.Created, nil, spend.Created, nil, nil, false},
		{"sent elsewhere", spend.PartiallySigned, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast, nil, nil, false},
		{"sent after it was cancelled", spend.Cancelled, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast, nil, nil, false},
		{"sent elsewhere and dropped since", spend.Created, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast, nil, nil, false},
		{"sent elsewhere and replaced since", spend.Complete, []spend.Spender{own(wallet.Replaced)}, spend.Broadcast, nil, nil, false},
		{"sent after it was cancelled, and dropped since", spend.Cancelled, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast, nil, nil, false},
		{"abandoned a moment ago", spend.Cancelled, []spend.Spender{own(wallet.Inactive)}, spend.Cancelled, nil, []spend.Status{spend.Broadcast, spend.Cancelled}, false},
		{"sent after it had expired, and abandoned", spend.Expired, []spend.Spender{own(wallet.Abandoned)}, spend.Expired, nil, nil, false},
		{"confirmed after it had expired", spend.Expired, []spend.Spender{own(wallet.Confirmed)}, spend.Confirmed, nil, nil, false},
		{"confirmed", spend.Broadcast, []spend.Spender{own(wallet.Confirmed)}, spend.Confirmed, nil, nil, false},
		{"reorganized", spend.Confirmed, []spend.Spender{own(wallet.InMempool)}, spend.Broadcast, nil, nil, false},
		{"reorganized, out of the mempool", spend.Confirmed, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast, nil, nil, false},
		{"dropped by the mempool", spend.Broadcast, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast, nil, nil, false},
		{"a rival waits", spend.Created, []spend.Spender{rival(wallet.InMempool, "")}, spend.Created, nil, nil, false},
		{"a rival is confirmed", spend.Complete, []spend.Spender{rival(wallet.Confirmed, "")}, spend.Conflicted, nil, nil, false},
		{"a rival is dead", spend.Complete, []spend.Spender{rival(wallet.Conflicted, "")}, spend.Complete, nil, nil, false},
		{"a rival is confirmed instead", spend.Broadcast, []spend.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "")}, spend.Conflicted, nil, nil, false},
		{"its replacement waits", spend.Broadcast, []spend.Spender{own(wallet.Replaced), rival(wallet.InMempool, "x")}, spend.Replaced, nil, nil, false},
		{"its replacement is confirmed", spend.Replaced, []spend.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "x")}, spend.Replaced, nil, nil, false},
		{"it is confirmed and not its replacement", spend.Replaced, []spend.Spender{own(wallet.Confirmed), rival(wallet.Conflicted, "x")}, spend.Confirmed, nil, nil, false},
		{"its replacement was dropped", spend.Replaced, []spend.Spender{own(wallet.Inactive), rival(wallet.Inactive, "x")}, spend.Broadcast, nil, nil, false},
		{"its inputs are lost", spend.PartiallySigned, nil, spend.Conflicted, lost(wallet.Conflicted), nil, false},
		{"its inputs are replaced in the mempool", spend.Broadcast, []spend.Spender{own(wallet.Inactive)}, spend.Conflicted, lost(wallet.Replaced), nil, false},
		{"the coinbase that it spends is gone", spend.Confirmed, []spend.Spender{own(wallet.Inactive)}, spend.Conflicted, lost(wallet.Abandoned), nil, false},
		{"its inputs are lost after it was cancelled", spend.Cancelled, nil, spend.Cancelled, lost(wallet.Conflicted), nil, false},
		{"its transaction conflicts", spend.Broadcast, []spend.Spender{own(wallet.Conflicted)}, spend.Conflicted, nil, nil, false},
		{"its transaction is abandoned", spend.Broadcast, []spend.Spender{own(wallet.Abandoned)}, spend.Cancelled, nil, nil, false},
		{"a rival is confirmed after it was cancelled", spend.Cancelled, []spend.Spender{rival(wallet.Confirmed, "")}, spend.Cancelled, nil, nil, false},
		{"its inputs exist again", spend.Conflicted, nil, spend.Created, nil, []spend.Status{spend.Created, spend.Conflicted}, false},
		{"its inputs exist again after it was signed", spend.Conflicted, nil, spend.Complete, nil, []spend.Status{spend.Complete, spend.Conflicted}, false},
		{"its inputs exist again, and are taken", spend.Conflicted, nil, spend.Conflicted, nil, []spend.Status{spend.Created, spend.Conflicted}, true},
		{"its inputs exist again after it was cancelled", spend.Conflicted, nil, spend.Cancelled, nil, []spend.Status{spend.Created, spend.Cancelled, spend.Conflicted}, false},
		{"its inputs exist again after it was sent", spend.Conflicted, []spend.Spender{own(wallet.Inactive)}, spend.Broadcast, nil, []spend.Status{spend.Broadcast, spend.Conflicted}, false},
	} {
		p := spend.Proposal{Status: c.was, Txid: "unsigned", FinalTxid: "signed", Raw: []byte("raw"), Reason: "it was cancelled"}
		if c.was == spend.Created || c.was == spend.PartiallySigned || c.steps != nil && c.want == spend.Created {
			p.Raw, p.FinalTxid = nil, ""
		}
		if c.was == spend.Replaced {
			p.ReplacedBy = "x"
		}
		for _, status := range c.steps {
			p.Steps = append(p.Steps, spend.Step{Action: string(status)})
		}
		changed := p.Settle(spend.Life{Spenders: c.spenders, Lost: c.lost, Taken: c.taken}, now)
		if p.Status != c.want || changed != (c.was != c.want) {
			t.Errorf("%s: from %s to %s, changed: %t", c.name, c.was, p.Status, changed)
		}
		if changed != (len(p.Steps) == len(c.steps)+1) {
			t.Errorf("%s: %d steps", c.name, len(p.Steps))
		}
		ended := p.Status == spend.Conflicted || p.Status == spend.Replaced || p.Status == spend.Cancelled
		if changed && ended != (p.Reason != "") {
			t.Errorf("%s: the reason is %q", c.name, p.Reason)
		}
		if (p.Status == spend.Replaced) != (p.ReplacedBy != "") {
			t.Errorf("%s: it is %s, and replaced by %q", c.name, p.Status, p.ReplacedBy)
		}
		dropped := p.Status == spend.Cancelled || p.Status == spend.Replaced
		if changed && p.IsSigned() && dropped != (len(p.Raw) == 0) {
			t.Errorf("%s: it is %s with %d bytes of transaction", c.name, p.Status, len(p.Raw))
		}
		if (p.Status == spend.Confirmed || p.Status == spend.Broadcast) && changed && (p.FinalTxid != "signed" || len(p.Raw) == 0) {
			t.Errorf("%s: the txid is %q of %d bytes", c.name, p.FinalTxid, len(p.Raw))
		}
	}
}
