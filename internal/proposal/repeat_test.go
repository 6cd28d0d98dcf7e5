package proposal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// TestRecipientWarnings checks that new proposals and dry runs warn about addresses that
// received a payment before, and about labels that they replace, and other proposals do not.
func TestRecipientWarnings(t *testing.T) {
	t.Parallel()
	onBoth(t, newNode(t), func(w *world) {
		t := w.t
		v := w.vault(testkit.WPKH, 10_000_000, 20_000_000)
		blind := *v.alice
		blind.Scopes &^= auth.WalletsRead
		own, err := v.wallets.NextAddress(t.Context(), v.access(v.alice, v.alias), "")
		testkit.Check(t, err)
		labelled := func(label string) proposal.CreateParams {
			o := pay(100_000, 2000)
			o.Recipients[0].Label = label
			return o
		}
		// warnings returns the codes of the warnings about recipients.
		warnings := func(o proposal.CreateParams) string {
			t.Helper()
			o.DryRun = true
			p := v.create(o)
			if p, err := v.Create(t.Context(), v.access(&blind, v.alias), o); err != nil || p.Paid != nil || p.Relabels != nil {
				t.Errorf("shown without the scope wallets:read: %v, %v, %v", p.Paid, p.Relabels, err)
			}
			var codes []string
			for _, warning := range p.Warnings() {
				if warning.Code == proposal.WarnAddressPaid || warning.Code == proposal.WarnLabelReplaced {
					codes = append(codes, warning.Code)
				}
			}
			return strings.Join(codes, " ")
		}
		if got := warnings(labelled("new roof")); got != "" {
			t.Errorf("the first payment has the warnings %s", got)
		}
		sent := v.sent(labelled("new roof"))
		for name, c := range map[string]struct {
			o    proposal.CreateParams
			want string
		}{
			"without a label":     {labelled(""), "address_paid"},
			"with the same label": {labelled("new roof"), "address_paid"},
			"with another label":  {labelled("garden chairs"), "address_paid label_replaced"},
			"another address":     {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: otherPayee, Amount: 50_000, Label: "x"}}, FeeRate: 2000}, ""},
			"a new own address":   {proposal.CreateParams{Recipients: []proposal.Recipient{{Address: own.Address, Amount: 50_000}}, FeeRate: 2000}, ""},
		} {
			t.Run(name, func(*testing.T) {
				if got := warnings(c.o); got != c.want {
					t.Errorf("%s: the warnings are %q, want %q", name, got, c.want)
				}
			})
		}
		bumped, err := v.bump(sent, proposal.BumpParams{FeeRate: 9000})
		testkit.Check(t, err)
		if bumped.Paid != nil || bumped.Relabels != nil {
			t.Errorf("the replacement of the only payment has the warnings %v", bumped.Warnings())
		}
		again, err := v.bump(bumped, proposal.BumpParams{FeeRate: 10_000, DryRun: true}) // sent counts as an earlier payment
		if testkit.Check(t, err); again.Paid != nil {
			t.Errorf("the replacement of a replacement has the warnings %v", again.Warnings())
		}
		p := v.create(labelled("garden chairs"))
		if len(p.Paid) != 1 || p.Paid[0].Address != payee || p.Paid[0].Own || time.Since(p.Paid[0].PaidAt).Abs() > time.Hour {
			t.Errorf("earlier payments: %+v", p.Paid)
		}
		if want := []proposal.Relabel{{Address: payee, From: "new roof", To: "garden chairs"}}; !slices.Equal(p.Relabels, want) {
			t.Errorf("replaced labels: %+v, want %+v", p.Relabels, want)
		}
		if later := v.get(p); later.Paid != nil || later.Relabels != nil {
			t.Errorf("the stored proposal has the warnings %v", later.Warnings())
		}
		v.fundTo(map[string]btc.JSONBTC{own.Address: 10_000})
		o := proposal.CreateParams{Recipients: []proposal.Recipient{{Address: own.Address, Amount: 50_000}, {Address: own.Address, Amount: 60_000}}, AllowDuplicates: true, FeeRate: 2000, DryRun: true}
		if p := v.create(o); len(p.Paid) != 1 || p.Paid[0].Address != own.Address || !p.Paid[0].Own {
			t.Errorf("a used address of the wallet, twice: %+v", p.Paid)
		}
	})
}

// TestRecipientWarnings_Text checks the messages, which name at most five addresses.
func TestRecipientWarnings_Text(t *testing.T) {
	p := proposal.Proposal{Fee: 1, Outputs: []proposal.Output{{Amount: 100_000, Kind: proposal.External}}}
	for i := range 7 {
		p.Paid = append(p.Paid, proposal.PaidAddress{Address: fmt.Sprint("a", i), PaidAt: time.Date(2026, 11, 30, 23, 59, 0, 0, time.UTC)})
	}
	p.Relabels = []proposal.Relabel{{Address: "a1", From: "new roof", To: "garden \u202echairs"}}
	want := []proposal.Warning{
		{Code: "address_paid", Message: "earlier payments were made to 7 recipients (a0 on 2026-11-30, a1 on 2026-11-30, a2 on 2026-11-30, a3 on 2026-11-30, a4 on 2026-11-30, …); ask for new addresses if possible, because payments to one address can be linked"},
		{Code: "label_replaced", Message: `labels of addresses are replaced, also for earlier payments to them: "new roof" becomes "garden \u202echairs" for a1`},
	}
	if got := p.Warnings(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
