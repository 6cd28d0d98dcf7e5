package proposal

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/text"
)

// PaidAddress is the address of a recipient that received an earlier payment.
type PaidAddress struct {
	Address string
	PaidAt  time.Time // time of the latest payment
	Own     bool      // whether it belongs to the wallet
}

// Relabel is a label of an address that the label of a recipient replaces.
type Relabel struct{ Address, From, To string }

// knownRecipients contains the earlier payments to the addresses of the recipients, and the labels
// that addresses with a new label have before the proposal.
type knownRecipients struct {
	paidAt map[string]time.Time
	labels map[string]string
}

// knownRecipients returns earlier payments to the recipients, and the labels that a draft may
// replace, or nothing if the caller may not read the wallet.
func (s *Service) knownRecipients(ctx context.Context, d draft) (known knownRecipients, err error) {
	if !d.access.Caller().Scopes.Has(auth.WalletsRead) {
		return known, nil
	}
	var original replaced
	if d.replaced != nil {
		original = *d.replaced
	}
	var chosen, labelled []string
	for _, r := range d.Recipients {
		if r.Address != "" && !slices.Contains(original.addresses, r.Address) { // the caller chose those of the original before
			chosen = append(chosen, r.Address)
		}
	}
	for _, l := range d.labels() {
		labelled = append(labelled, l.Ref)
	}
	if len(chosen) > 0 {
		known.paidAt, err = s.store.LastPaid(ctx, d.view.ID, chosen, original.txid)
	}
	if err == nil && len(labelled) > 0 {
		known.labels, err = s.store.LabelsAmong(ctx, d.view.ID, addressLabel, labelled)
	}
	return known, err
}

// noteRecipients fills in Paid and Relabels of a proposal that sets these labels.
func (p *Proposal) noteRecipients(known knownRecipients, labels []btc.Label) {
	seen := map[string]bool{}
	for _, o := range p.Outputs {
		if o.Recipient < 0 || seen[o.Address] {
			continue
		}
		seen[o.Address] = true
		if at, ok := known.paidAt[o.Address]; ok {
			p.Paid = append(p.Paid, PaidAddress{Address: o.Address, PaidAt: at, Own: o.Kind == Own})
		}
	}
	for _, l := range labels {
		if from := known.labels[l.Ref]; from != "" && from != *l.Label {
			p.Relabels = append(p.Relabels, Relabel{l.Ref, from, *l.Label})
		}
	}
}

// maxNamed is the maximum number of addresses or proposals that a message names.
const maxNamed = 5

// firstOf returns the first texts of a list, and "…" if there are others.
func firstOf(all []string) string {
	if len(all) > maxNamed {
		all = append(all[:maxNamed:maxNamed], "…")
	}
	return strings.Join(all, ", ")
}

// recipientWarnings returns the warnings about the recipients of a new proposal.
func (p *Proposal) recipientWarnings() (list []Warning) {
	if n := len(p.Paid); n > 0 {
		all := make([]string, n)
		for i, a := range p.Paid {
			all[i] = a.Address + " on " + a.PaidAt.UTC().Format(time.DateOnly)
		}
		list = append(list, warningOf(WarnAddressPaid, "earlier payments were made to %s (%s); ask for new addresses if possible, because payments to one address can be linked",
			text.Count(n, "recipient"), firstOf(all)))
	}
	if n := len(p.Relabels); n > 0 {
		all := make([]string, n)
		for i, r := range p.Relabels {
			all[i] = fmt.Sprintf("%q becomes %q for %s", r.From, r.To, r.Address)
		}
		list = append(list, warningOf(WarnLabelReplaced, "labels of addresses are replaced, also for earlier payments to them: %s", firstOf(all)))
	}
	return list
}
