package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// proposalFor returns a proposal that spends UTXOs and has the change address with the
// given index.
func proposalFor(b *fixture, w wallet.Wallet, change uint32, utxos ...btc.Outpoint) proposal.Proposal {
	maker := proposal.Actor{UserID: "u", UserName: "alice"}
	p := proposal.Proposal{
		ID: uuid.NewString(), WalletID: w.ID, Txid: fmt.Sprintf("%064x", change+1), Status: proposal.Created, StatusAt: b.now, Version: 1,
		Creator: maker, CreatedAt: b.now, ExpiresAt: b.now.Add(time.Hour),
		Terms: proposal.Terms{FeeRate: 2500, FeeSource: proposal.FeeEstimate, TargetBlocks: 6, Replaceable: true, SendMax: true, SubtractFrom: []int{0, 2}, Replaces: "r"},
		PSBT:  []byte("psbt\xff"), Fee: 500, VSize: 200, ExcessFee: 7,
		Outputs: []proposal.Output{
			{Address: "a", Amount: 900, Asked: 1000, Kind: proposal.External},
			{Address: "b", Amount: 50, Kind: proposal.Own, Own: &wallet.Place{Index: 5}, Recipient: 1},
			{Address: "c", Amount: 30, Kind: proposal.Change, Own: &wallet.Place{Branch: wallet.ChangeBranch, Index: change}, Recipient: -1},
		},
		Steps: []proposal.Step{{At: b.now, Action: "created", By: maker, Detail: "d"}},
	}
	for i, at := range utxos {
		p.Inputs = append(p.Inputs, proposal.Input{Outpoint: at, Place: wallet.Place{Index: uint32(i)}, Address: "x", Amount: 1480})
	}
	return p
}

func utxoNumber(n int) btc.Outpoint {
	return btc.Outpoint{Txid: fmt.Sprintf("%064x", n), Vout: uint32(n)}
}

func (b *fixture) propose(p proposal.Proposal) error {
	_, err := b.AddProposal(b.t.Context(), p, b.moment(), nil, auth.Event{At: b.now, Action: "proposal.create"})
	return err
}

// moment returns the current moment of the fixture.
func (b *fixture) moment() proposal.Moment {
	return proposal.Moment{Network: btc.Regtest, Now: b.now, Trusted: b.now}
}

func TestProposals_RoundTrip(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w := b.wallet(alice, "vault")
		want := proposalFor(b, w, 3, utxoNumber(1), utxoNumber(2))
		want.Creator.TokenID = b.token(alice, "shop", "").ID
		want.Evicts = []proposal.Eviction{{Txid: "e", ProposalID: "p", Status: proposal.Complete, UserID: "u", UserName: "bob", Spends: true, Fee: 5, Payees: []proposal.Payee{{Address: "a", Amount: 6}}}}
		testkit.Check(t, b.propose(want))
		got, err := b.Proposal(t.Context(), w.ID, want.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		signer := proposal.Actor{UserID: "s", UserName: "sam"}
		got, err = b.UpdateProposal(t.Context(), w.ID, want.ID, func(u *proposal.Update) error {
			u.Status, u.FinalTxid, u.Raw, u.VSize, u.PSBT = proposal.Complete, "f", []byte{1}, 190, []byte("more")
			u.Signatures = append(u.Signatures, proposal.Signature{Input: 1, Key: 2, At: b.now, By: signer})
			u.Steps = append(u.Steps, proposal.Step{At: b.now, Action: "signed", By: signer})
			u.Changed = true
			return nil
		})
		testkit.Check(t, err)
		again, err := b.Proposal(t.Context(), w.ID, want.ID)
		testkit.Check(t, err)
		if diff := cmp.Diff(got, again); diff != "" || got.Version != 2 || len(got.Steps) != 2 {
			t.Errorf("version %d: %s", got.Version, diff)
		}
		if _, err := b.Proposal(t.Context(), b.wallet(b.user("bob", false), "vault").ID, want.ID); !errors.Is(err, proposal.ErrNotFound) {
			t.Errorf("in another wallet: %v", err)
		}
		rows := b.rows("SELECT status, amount_sat, fee_sat, vsize, fee_rate_sat_vb, keys_signed, signatures_required, final_txid, created_by, expires_at FROM v_proposals")
		if want := "complete 950 500 190 2.5 1 2 f alice " + b.now.Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"); rows != want {
			t.Errorf("v_proposals has %q, not %q", rows, want)
		}
	})
}

// TestReservations checks that a UTXO and a change address are in at most one open
// proposal.
func TestReservations(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		w := b.wallet(b.user("alice", false), "vault")
		first := proposalFor(b, w, 2, utxoNumber(1), utxoNumber(2))
		testkit.Check(t, b.propose(first))
		if err := b.propose(proposalFor(b, w, 4, utxoNumber(3), utxoNumber(2))); !errors.Is(err, proposal.ErrUTXOReserved) {
			t.Errorf("a reserved UTXO: %v", err)
		}
		if err := b.propose(proposalFor(b, w, 2, utxoNumber(3))); !errors.Is(err, proposal.ErrChangeTaken) {
			t.Errorf("the change address of another: %v", err)
		}
		testkit.Check(t, b.SetFrozen(t.Context(), w.ID, []btc.Outpoint{utxoNumber(4)}, true, b.now, auth.Event{}))
		if err := b.propose(proposalFor(b, w, 4, utxoNumber(3), utxoNumber(4))); !errors.Is(err, proposal.ErrUTXOFrozen) {
			t.Errorf("a frozen UTXO: %v", err)
		}
		if n := b.count("SELECT count(*) FROM proposals"); n != 1 {
			t.Errorf("%d proposals after three were refused", n)
		}
		b.wantReserved(w, map[btc.Outpoint]string{utxoNumber(1): first.ID, utxoNumber(2): first.ID})
		if index, err := b.FreeChange(t.Context(), w.ID, nil); err != nil || index != 0 {
			t.Errorf("free is %d: %v", index, err)
		}
		recipients := []string{"elsewhere"}
		for index := range uint32(2) {
			a, err := b.AddressAt(t.Context(), w.ID, wallet.Place{Branch: wallet.ChangeBranch, Index: index * 2})
			testkit.Check(t, err)
			recipients = append(recipients, a.Address)
		}
		if index, err := b.FreeChange(t.Context(), w.ID, recipients); err != nil || index != 1 {
			t.Errorf("free is %d where 0 and 2 are paid to: %v", index, err)
		}

		second := proposalFor(b, w, 0, utxoNumber(2), utxoNumber(5))
		second.ReplacesID = first.ID
		testkit.Check(t, b.propose(second))
		old, err := b.Proposal(t.Context(), w.ID, first.ID)
		testkit.Check(t, err)
		if old.Status != proposal.Replaced || old.ReplacedBy != second.ID || old.Reason == "" {
			t.Errorf("the replaced one is %+v", old)
		}
		b.wantReserved(w, map[btc.Outpoint]string{utxoNumber(1): "", utxoNumber(2): second.ID, utxoNumber(5): second.ID})
		testkit.Check(t, b.ForgetReleased(t.Context(), w.ID, []btc.Outpoint{utxoNumber(1), utxoNumber(2)}))
		b.wantReserved(w, map[btc.Outpoint]string{utxoNumber(2): second.ID, utxoNumber(5): second.ID})
		if index, err := b.FreeChange(t.Context(), w.ID, nil); err != nil || index != 1 {
			t.Errorf("free is %d: %v", index, err)
		}

		b.exec("DELETE FROM proposals WHERE proposal_id = '" + second.ID + "'") // deleted in a shell
		b.wantReserved(w, map[btc.Outpoint]string{utxoNumber(2): "", utxoNumber(5): ""})
		for _, table := range []string{"proposal_inputs", "proposal_outputs", "proposal_steps", "proposal_signatures"} {
			if n := b.count("SELECT count(*) FROM " + table + " WHERE proposal_id = '" + second.ID + "'"); n != 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		third := proposalFor(b, w, 0, utxoNumber(5))
		third.ExpiresAt = b.now.Add(-time.Second)
		testkit.Check(t, b.propose(third))
		overdue, err := b.Overdue(t.Context(), b.now)
		testkit.Check(t, err)
		if len(overdue) != 1 || overdue[0].ID != third.ID {
			t.Errorf("%d proposals are overdue", len(overdue))
		}
		next, err := b.NextExpiry(t.Context())
		testkit.Check(t, err)
		if !next.Equal(third.ExpiresAt) {
			t.Errorf("the next expiry is at %v, want %v", next, third.ExpiresAt)
		}
		b.exec("UPDATE proposals SET status = 'cancelled'")
		if next, err := b.NextExpiry(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("without open proposals, the next expiry is at %v, %v", next, err)
		}
	})
}

func (b *fixture) wantReserved(w wallet.Wallet, want map[btc.Outpoint]string) {
	b.t.Helper()
	list, err := b.Reservations(b.t.Context(), w.ID)
	testkit.Check(b.t, err)
	got := map[btc.Outpoint]string{}
	for _, r := range list {
		got[r.Outpoint] = r.ProposalID
	}
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Error(diff)
	}
}

// TestOpenProposals checks that OpenProposals returns the same proposals as Proposals, except
// the parts that it leaves out.
func TestOpenProposals(t *testing.T) {
	onBothEngines(t, func(t *testing.T, b *fixture) {
		alice := b.user("alice", false)
		w, other := b.wallet(alice, "vault"), b.wallet(alice, "other")
		if got := testkit.Must(b.OpenProposals(t.Context(), w.ID)); len(got) != 0 {
			t.Errorf("without proposals: %v", got)
		}
		for i, status := range []proposal.Status{
			proposal.Created, proposal.PartiallySigned, proposal.Complete, proposal.AwaitingApproval, proposal.Cancelled, proposal.Created, proposal.Created,
		} {
			p := proposalFor(b, w, uint32(i), utxoNumber(2*i), utxoNumber(2*i+1))
			p.CreatedAt = b.now.Add(time.Duration(i/2) * time.Second) // some are created at the same time
			testkit.Check(t, b.propose(p))
			testkit.Must(b.UpdateProposal(t.Context(), w.ID, p.ID, func(u *proposal.Update) error {
				u.Status, u.Changed = status, true
				u.Signatures = []proposal.Signature{{Key: i, At: b.now, By: proposal.Actor{UserName: "sam"}}}
				return nil
			}))
		}
		testkit.Check(t, b.propose(proposalFor(b, other, 0, utxoNumber(100))))
		f := proposal.Filter{Statuses: []proposal.Status{proposal.Created, proposal.PartiallySigned, proposal.Complete}}
		want := testkit.Must(b.Proposals(t.Context(), w.ID, f, proposal.Cursor{}, 100))
		for i := range want {
			want[i].Steps, want[i].Approvals, want[i].PoliciesChanged = nil, nil, false
		}
		const rounds = 30 // more than there are connections that cache
		for range rounds {
			if diff := cmp.Diff(want, testkit.Must(b.OpenProposals(t.Context(), w.ID))); diff != "" || len(want) != 5 {
				t.Fatalf("%d proposals: %s", len(want), diff)
			}
		}
		b.exec("UPDATE proposals SET status = 'expired' WHERE proposal_id = $1", want[1].ID)
		for range rounds {
			got := testkit.Must(b.OpenProposals(t.Context(), w.ID))
			if len(got) != 4 || got[1].ID != want[2].ID {
				t.Fatalf("after a change: %d proposals", len(got))
			}
			got[0] = proposal.Proposal{}
		}
	})
}
