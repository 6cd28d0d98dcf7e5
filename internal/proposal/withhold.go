package proposal

import (
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/psbt"
)

// maySeeSignatures reports whether a caller may see the signatures of a wallet's
// proposals, because anyone who has enough signatures can send the payment: only signers
// whose credential permits signing or broadcasting.
func maySeeSignatures(who *auth.Principal, role auth.WalletRole) bool {
	return role.Covers(auth.RoleSigner) && who.Scopes&(auth.ProposalsSign|auth.ProposalsBroadcast) != 0
}

// shownTo returns the proposal as visible to a caller with a role: without signatures
// unless maySeeSignatures returns true, and without the PSBT while it is held. All members can see who signed and when.
func (p Proposal) shownTo(who *auth.Principal, role auth.WalletRole) (Proposal, error) {
	if p.Held() {
		return p.withheld(), nil
	}
	if maySeeSignatures(who, role) || len(p.Signatures) == 0 && len(p.Raw) == 0 {
		return p, nil
	}
	packet, err := psbt.Parse(p.PSBT)
	if err != nil {
		return Proposal{}, fmt.Errorf("read the PSBT of proposal %s: %w", p.ID, err)
	}
	p.SignaturesWithheld = len(p.Raw) > 0 || packet.HasSignatures()
	p.PSBT, p.Raw = packet.WithoutSignatures().Bytes(), nil
	return p, nil
}

// shownTo returns proposals as visible to a caller with a role. It modifies the list.
func shownTo(who *auth.Principal, role auth.WalletRole, list []Proposal) ([]Proposal, error) {
	for i, p := range list {
		var err error
		if list[i], err = p.shownTo(who, role); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// withheld returns the proposal without its PSBT while it is held.
func (p Proposal) withheld() Proposal {
	if p.Held() {
		p.SignaturesWithheld = p.SignaturesWithheld || len(p.Signatures) > 0
		p.PSBT, p.Raw = nil, nil
	}
	return p
}

// StatusesWithoutSignatures are the statuses in which a proposal has lost its signatures.
// A conflicted proposal keeps them, because a reorganization may reopen it.
var StatusesWithoutSignatures = []Status{Cancelled, Expired, Rejected, Replaced}

// DropSignatures removes the signatures and the signed transaction from a proposal that
// was cancelled, has expired or was replaced, and reports whether it had any. If its
// transaction later appears in the chain or in the mempool, they are restored from it.
func (p *Proposal) DropSignatures() (dropped bool) {
	if !slices.Contains(StatusesWithoutSignatures, p.Status) {
		return false
	}
	dropped = len(p.Raw) > 0
	p.Raw = nil
	if packet, err := psbt.Parse(p.PSBT); err == nil && packet.HasSignatures() {
		p.PSBT, dropped = packet.WithoutSignatures().Bytes(), true
	}
	return dropped
}
