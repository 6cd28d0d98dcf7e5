package proposal_test

import (
	"testing"
	"time"

	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/wallet"
)

// TestSettle checks that the state of the chain takes precedence over all other reasons
// for a status, and that a reorganization reverts the status.
func TestSettle(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	own := func(status wallet.Status) proposal.Spender {
		return proposal.Spender{Txid: "signed", UnsignedTxid: "unsigned", Status: status, Raw: []byte("raw")}
	}
	rival := func(status wallet.Status, replacement string) proposal.Spender {
		return proposal.Spender{Txid: "rival", UnsignedTxid: "unsigned rival", Status: status, Replacement: replacement}
	}
	lost := func(status wallet.Status) *proposal.Ancestor {
		return &proposal.Ancestor{Txid: "parent", Status: status}
	}
	for _, c := range []struct {
		name     string
		was      proposal.Status
		spenders []proposal.Spender
		want     proposal.Status
		lost     *proposal.Ancestor
		steps    []proposal.Status // earlier statuses
		taken    bool
	}{
		{"nothing happened", proposal.Created, nil, proposal.Created, nil, nil, false},
		{"sent elsewhere", proposal.PartiallySigned, []proposal.Spender{own(wallet.InMempool)}, proposal.Broadcast, nil, nil, false},
		{"sent after it was cancelled", proposal.Cancelled, []proposal.Spender{own(wallet.InMempool)}, proposal.Broadcast, nil, nil, false},
		{"sent elsewhere and dropped since", proposal.Created, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, nil, false},
		{"sent elsewhere and replaced since", proposal.Complete, []proposal.Spender{own(wallet.Replaced)}, proposal.Broadcast, nil, nil, false},
		{"sent after it was cancelled, and dropped since", proposal.Cancelled, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, nil, false},
		{"abandoned", proposal.Cancelled, []proposal.Spender{own(wallet.Abandoned)}, proposal.Cancelled, nil, []proposal.Status{proposal.Broadcast, proposal.Cancelled}, false},
		{"abandoned, but Core has forgotten it, and replaced since", proposal.Cancelled, []proposal.Spender{own(wallet.Replaced), rival(wallet.InMempool, "")}, proposal.Broadcast, nil, []proposal.Status{proposal.Broadcast, proposal.Cancelled}, false},
		{"abandoned, but Core has forgotten it", proposal.Cancelled, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, []proposal.Status{proposal.Broadcast, proposal.Cancelled}, false},
		{"sent after it had expired, and abandoned", proposal.Expired, []proposal.Spender{own(wallet.Abandoned)}, proposal.Expired, nil, nil, false},
		{"confirmed after it had expired", proposal.Expired, []proposal.Spender{own(wallet.Confirmed)}, proposal.Confirmed, nil, nil, false},
		{"confirmed", proposal.Broadcast, []proposal.Spender{own(wallet.Confirmed)}, proposal.Confirmed, nil, nil, false},
		{"reorganized", proposal.Confirmed, []proposal.Spender{own(wallet.InMempool)}, proposal.Broadcast, nil, nil, false},
		{"reorganized, out of the mempool", proposal.Confirmed, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, nil, false},
		{"dropped by the mempool", proposal.Broadcast, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, nil, false},
		{"a rival is in the mempool", proposal.Created, []proposal.Spender{rival(wallet.InMempool, "")}, proposal.Created, nil, nil, false},
		{"a rival is confirmed", proposal.Complete, []proposal.Spender{rival(wallet.Confirmed, "")}, proposal.Conflicted, nil, nil, false},
		{"a rival is dead", proposal.Complete, []proposal.Spender{rival(wallet.Conflicted, "")}, proposal.Complete, nil, nil, false},
		{"a rival is confirmed instead", proposal.Broadcast, []proposal.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "")}, proposal.Conflicted, nil, nil, false},
		{"its replacement is in the mempool", proposal.Broadcast, []proposal.Spender{own(wallet.Replaced), rival(wallet.InMempool, "x")}, proposal.Replaced, nil, nil, false},
		{"its replacement is confirmed", proposal.Replaced, []proposal.Spender{own(wallet.Conflicted), rival(wallet.Confirmed, "x")}, proposal.Replaced, nil, nil, false},
		{"it is confirmed instead of its replacement", proposal.Replaced, []proposal.Spender{own(wallet.Confirmed), rival(wallet.Conflicted, "x")}, proposal.Confirmed, nil, nil, false},
		{"its replacement was dropped", proposal.Replaced, []proposal.Spender{own(wallet.Inactive), rival(wallet.Inactive, "x")}, proposal.Broadcast, nil, nil, false},
		{"its inputs are lost", proposal.PartiallySigned, nil, proposal.Conflicted, lost(wallet.Conflicted), nil, false},
		{"its inputs are replaced in the mempool", proposal.Broadcast, []proposal.Spender{own(wallet.Inactive)}, proposal.Conflicted, lost(wallet.Replaced), nil, false},
		{"the coinbase that it spends is gone", proposal.Confirmed, []proposal.Spender{own(wallet.Inactive)}, proposal.Conflicted, lost(wallet.Abandoned), nil, false},
		{"its inputs are lost after it was cancelled", proposal.Cancelled, nil, proposal.Cancelled, lost(wallet.Conflicted), nil, false},
		{"its transaction conflicts", proposal.Broadcast, []proposal.Spender{own(wallet.Conflicted)}, proposal.Conflicted, nil, nil, false},
		{"its transaction is abandoned", proposal.Broadcast, []proposal.Spender{own(wallet.Abandoned)}, proposal.Cancelled, nil, nil, false},
		{"a rival is confirmed after it was cancelled", proposal.Cancelled, []proposal.Spender{rival(wallet.Confirmed, "")}, proposal.Cancelled, nil, nil, false},
		{"a rival is confirmed after it was rejected", proposal.Rejected, []proposal.Spender{rival(wallet.Confirmed, "")}, proposal.Rejected, nil, nil, false},
		{"its inputs are lost after it was rejected", proposal.Rejected, nil, proposal.Rejected, lost(wallet.Conflicted), nil, false},
		{"sent after it was rejected", proposal.Rejected, []proposal.Spender{own(wallet.InMempool)}, proposal.Broadcast, nil, nil, false},
		{"its inputs exist again after it was rejected", proposal.Conflicted, nil, proposal.Rejected, nil, []proposal.Status{proposal.AwaitingApproval, proposal.Rejected, proposal.Conflicted}, false},
		{"its inputs exist again", proposal.Conflicted, nil, proposal.Created, nil, []proposal.Status{proposal.Created, proposal.Conflicted}, false},
		{"its inputs exist again after it was signed", proposal.Conflicted, nil, proposal.Complete, nil, []proposal.Status{proposal.Complete, proposal.Conflicted}, false},
		{"its inputs exist again, and are taken", proposal.Conflicted, nil, proposal.Conflicted, nil, []proposal.Status{proposal.Created, proposal.Conflicted}, true},
		{"its inputs exist again after it was cancelled", proposal.Conflicted, nil, proposal.Cancelled, nil, []proposal.Status{proposal.Created, proposal.Cancelled, proposal.Conflicted}, false},
		{"its inputs exist again after it was sent", proposal.Conflicted, []proposal.Spender{own(wallet.Inactive)}, proposal.Broadcast, nil, []proposal.Status{proposal.Broadcast, proposal.Conflicted}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := proposal.Proposal{Status: c.was, Txid: "unsigned", FinalTxid: "signed", Raw: []byte("raw"), Reason: "it was cancelled"}
			if c.was == proposal.Created || c.was == proposal.PartiallySigned || c.steps != nil && c.want == proposal.Created {
				p.Raw, p.FinalTxid = nil, ""
			}
			if c.was == proposal.Replaced {
				p.ReplacedBy = "x"
			}
			for _, status := range c.steps {
				p.Steps = append(p.Steps, proposal.Step{Action: string(status)})
			}
			changed := p.Settle(proposal.InputState{Spenders: c.spenders, Lost: c.lost, Taken: c.taken}, now)
			if p.Status != c.want || changed != (c.was != c.want) {
				t.Errorf("%s: from %s to %s, changed: %t", c.name, c.was, p.Status, changed)
			}
			if changed != (len(p.Steps) == len(c.steps)+1) {
				t.Errorf("%s: %d steps", c.name, len(p.Steps))
			}
			dropped := p.Status == proposal.Cancelled || p.Status == proposal.Rejected || p.Status == proposal.Replaced
			ended := dropped || p.Status == proposal.Conflicted
			if changed && ended != (p.Reason != "") {
				t.Errorf("%s: the reason is %q", c.name, p.Reason)
			}
			if (p.Status == proposal.Replaced) != (p.ReplacedBy != "") {
				t.Errorf("%s: the status is %s, replaced by %q", c.name, p.Status, p.ReplacedBy)
			}
			if changed && p.IsSigned() && dropped != (len(p.Raw) == 0) {
				t.Errorf("%s: the status is %s, with a transaction of %d bytes", c.name, p.Status, len(p.Raw))
			}
			if (p.Status == proposal.Confirmed || p.Status == proposal.Broadcast) && changed && (p.FinalTxid != "signed" || len(p.Raw) == 0) {
				t.Errorf("%s: the txid is %q, with a transaction of %d bytes", c.name, p.FinalTxid, len(p.Raw))
			}
		})
	}
}

// TestSettle_ReopenedIsReleased checks that the release of a proposal is tried again if its inputs
// were lost while it awaited the end of a delay, and exist again.
func TestSettle_ReopenedIsReleased(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		name   string
		review *proposal.Review
		want   proposal.Status
		tryAt  time.Time
	}{
		{"not released", &proposal.Review{ReleaseAt: now.Add(-time.Hour)}, proposal.AwaitingApproval, now},
		{"released", &proposal.Review{Released: true}, proposal.Created, time.Time{}},
		{"without policies", nil, proposal.Created, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := proposal.Proposal{Status: proposal.Conflicted, Txid: "unsigned", Review: c.review}
			p.Steps = []proposal.Step{{Action: string(proposal.Created)}, {Action: string(proposal.AwaitingApproval)}, {Action: string(proposal.Conflicted)}}
			if p.Settle(proposal.InputState{}, now); p.Status != c.want || !p.TryAt.Equal(c.tryAt) {
				t.Errorf("the status is %s, and its release is tried at %s", p.Status, p.TryAt)
			}
		})
	}
}
