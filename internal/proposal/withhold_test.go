package proposal_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestSignatures_Withheld checks that only signers and higher roles read signatures,
// and with a token only if its scopes allow signing or broadcasting.
func TestSignatures_Withheld(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WSH, 1_000_000, 1_000_000)
		created := v.create(pay(100_000, 20_000))
		complete := v.complete(created)
		partial := v.sign(v.create(pay(100_000, 20_000)), 0)
		people := map[auth.WalletRole]*auth.Principal{auth.RoleOwner: v.alice}
		for _, role := range []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner} {
			people[role] = w.memberAs(v, string(role), role)
		}
		for role, who := range people {
			for _, scopes := range []auth.Scopes{auth.ProposalsRead, auth.ProposalsRead | auth.ProposalsCreate, auth.ProposalsRead | auth.ProposalsSign, auth.ProposalsRead | auth.ProposalsBroadcast, auth.DefaultScopes} {
				caller := *who
				caller.Scopes = scopes
				shows := role.Covers(auth.RoleSigner) && (scopes.Has(auth.ProposalsSign) || scopes.Has(auth.ProposalsBroadcast))
				list, err := v.List(t.Context(), v.access(&caller, v.alias), proposal.Filter{}, proposal.Cursor{}, 10)
				testkit.Check(t, err)
				got, err := v.Get(t.Context(), v.access(&caller, v.alias), complete.ID)
				testkit.Check(t, err)
				for _, p := range append(list, got) {
					signed := p.ID == complete.ID
					if has := parsed(t, p).HasSignatures(); has != shows || p.SignaturesWithheld == shows || (len(p.Raw) > 0) != (shows && signed) {
						t.Errorf("a %s with %s: the %s proposal has signatures: %t, raw: %d bytes, withheld: %t", role, scopes, p.Status, has, len(p.Raw), p.SignaturesWithheld)
					}
				}
				if !shows && !bytes.Equal(got.PSBT, created.PSBT) {
					t.Errorf("a %s with %s: the PSBT differs from the created PSBT", role, scopes)
				}
				if len(list) != 2 || got.Status != proposal.Complete || len(got.Signatures) != len(complete.Signatures) {
					t.Errorf("a %s with %s does not see who signed", role, scopes)
				}
			}
		}

		// The current role decides, also for an access from before it was lowered.
		held := v.access(people[auth.RoleSigner], v.alias)
		_, err := w.shell.ExecContext(t.Context(), "UPDATE members SET role = 'proposer' WHERE user_id = '"+held.Caller().UserID+"'")
		testkit.Check(t, err)
		got, err := v.Get(t.Context(), held, complete.ID)
		if testkit.Check(t, err); !got.SignaturesWithheld || len(got.Raw) > 0 || parsed(t, got).HasSignatures() {
			t.Error("a former signer reads signatures")
		}
		for what, err := range map[string]error{
			"sign": func() error { _, err := v.AddSignatures(t.Context(), held, partial.ID, partial.PSBT, nil); return err }(),
			"send": func() error {
				_, err := v.Broadcast(t.Context(), held, complete.ID, proposal.BroadcastParams{})
				return err
			}(),
			"cancel": v.Cancel(t.Context(), held, complete.ID, nil),
		} {
			t.Run(what, func(t *testing.T) {
				if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != "insufficient_role" {
					t.Errorf("a former signer can %s: %v", what, err)
				}
			})
		}
		if got := v.get(partial); got.SignaturesWithheld || !bytes.Equal(got.PSBT, partial.PSBT) {
			t.Error("an owner does not get the signatures")
		}
	})
}

// TestSignatures_DeletedWhenClosed checks that the signatures of cancelled, expired and
// replaced proposals are deleted from the database, and are restored from the node if
// the transaction is broadcast later.
func TestSignatures_DeletedWhenClosed(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		for _, k := range []testkit.Script{testkit.WSH, testkit.SHWPKH, testkit.TR} {
			v := w.vault(k, 1_000_000, 1_000_000, 1_000_000)
			cancelled := v.complete(v.create(pay(100_000, 20_000)))
			testkit.Check(t, v.Cancel(t.Context(), v.access(v.alice, v.alias), cancelled.ID, nil))
			replaced := v.complete(v.create(pay(100_000, 20_000)))
			o := pay(100_000, 30_000)
			o.Replaces = replaced.ID
			v.create(o)
			expired := v.sign(v.create(pay(100_000, 20_000)), 0)
			w.clock.forward(proposal.DefaultLifetime)
			testkit.Check(t, v.ExpireOverdue(t.Context()))
			w.clock.forward(-proposal.DefaultLifetime)
			for status, p := range map[proposal.Status]proposal.Proposal{proposal.Cancelled: cancelled, proposal.Replaced: replaced, proposal.Expired: expired} {
				t.Run(fmt.Sprint(status), func(t *testing.T) {
					got := v.get(p)
					if got.Status != status || len(got.Raw) > 0 || parsed(t, got).HasSignatures() || len(got.Signatures) != len(p.Signatures) || got.FinalTxid != p.FinalTxid {
						t.Errorf("%s: the %s proposal has raw of %d bytes, signatures: %t", k.Name, got.Status, len(got.Raw), parsed(t, got).HasSignatures())
					}
					if _, err := v.Broadcast(t.Context(), v.access(v.alice, v.alias), p.ID, proposal.BroadcastParams{}); !errors.Is(err, proposal.ErrWrongState) {
						t.Errorf("%s: broadcasting the %s proposal: %v", k.Name, status, err)
					}
				})
			}
			v.node.CLI(t, "sendrawtransaction", hexOf(cancelled.Raw)) // sent by a user who kept a copy
			if got := v.until(cancelled, proposal.Broadcast); !bytes.Equal(got.Raw, cancelled.Raw) || !bytes.Equal(got.PSBT, cancelled.PSBT) {
				t.Errorf("%s: the transaction that was broadcast later differs from the signed one", k.Name)
			}
			v.mine()
			v.until(cancelled, proposal.Confirmed)
		}
	})
}

// TestRemedy checks that the remedy for a cancelled proposal that was signed works, and
// that other proposals have no remedy.
func TestRemedy(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WSH, 1_000_000, 1_000_000)
		cancel := func(p proposal.Proposal) *proposal.CreateParams {
			t.Helper()
			p, err := v.Service.Cancel(t.Context(), v.access(v.alice, v.alias), p.ID, nil)
			testkit.Check(t, err)
			if p.Status != proposal.Cancelled || parsed(t, p).HasSignatures() {
				t.Errorf("the status is %s, with signatures: %t", p.Status, parsed(t, p).HasSignatures())
			}
			got := v.get(p)
			warns := slices.ContainsFunc(got.Warnings(), func(w proposal.Warning) bool { return w.Code == proposal.WarnStillValid })
			if warns != p.IsSigned() || strings.HasSuffix(p.Reason, "can still send it") != p.IsSigned() {
				t.Errorf("signed %t, reason %q, warnings %v", p.IsSigned(), p.Reason, p.Warnings())
			}
			return v.Remedy(t.Context(), p)
		}
		if r := cancel(v.sign(v.create(pay(100_000, 2000)), 0)); r != nil {
			t.Errorf("for a partially signed proposal: %+v", r)
		}
		signed := v.complete(v.create(pay(100_000, 2000)))
		if r := v.Remedy(t.Context(), signed); r != nil {
			t.Errorf("for an open proposal: %+v", r)
		}
		r := cancel(signed)
		if r == nil || r.UTXOs[0] != signed.Inputs[0].Outpoint {
			t.Fatalf("the remedy is %+v", r)
		}
		v.broadcast(v.complete(v.create(*r)))
		v.mine()
		if _, err := v.node.Call(t.Context(), "sendrawtransaction", hexOf(signed.Raw)); err == nil {
			t.Error("the cancelled payment was sent after the remedy was confirmed")
		}

		sent := v.broadcast(v.complete(v.create(pay(100_000, 2000))))
		replacement, err := v.Bump(t.Context(), v.access(v.alice, v.alias), sent.ID, proposal.BumpParams{FeeRate: 9000})
		testkit.Check(t, err)
		if r := cancel(v.complete(replacement)); r != nil {
			t.Errorf("for a replacement: %+v", r)
		}
	})
}

func parsed(t testing.TB, p proposal.Proposal) *psbt.Packet {
	t.Helper()
	packet, err := psbt.Parse(p.PSBT)
	testkit.Check(t, err)
	return packet
}
