package spending

import (
	"cmp"
	"context"
	"errors"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/wallet"
)

// Preview describes a change that was not made.
type Preview struct {
	// Document is the policy or the list in canonical form; empty if it would be deleted.
	Document string
	// Unchanged is set if it equals the current policy or list; see Result.
	Unchanged bool
	// Loosens are the fields in which the policies would permit more than before.
	Loosens []policy.Wider
	// Warnings are about the policy as it would be; none about lists.
	Warnings []policy.Warning
	// Conditions apply to the change if it loosens a policy; nil for none.
	Conditions *policy.Change
}

// errPreview ends the transaction of a preview, so that nothing is stored.
var errPreview = errors.New("nothing is stored")

// PreviewPut describes what Put does with a document, or Delete if the document is nil.
func (s *Service) PreviewPut(ctx context.Context, access wallet.Access, document []byte) (Preview, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID}, document)
}

// PreviewPutMember describes what PutMember or DeleteMember does; see PreviewPut.
func (s *Service) PreviewPutMember(ctx context.Context, access wallet.Access, user string, document []byte) (Preview, error) {
	t, err := s.memberTarget(ctx, access, user, auth.RoleOwner)
	if err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, access.Caller(), t, document)
}

// PreviewPutServer describes what PutServer or DeleteServer does; see PreviewPut.
func (s *Service) PreviewPutServer(ctx context.Context, who *auth.Principal, document []byte) (Preview, error) {
	if err := requireAdmin(who); err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, who, Target{Kind: policy.Server}, document)
}

// PreviewPutList describes what PutList or DeleteList does; see PreviewPut.
func (s *Service) PreviewPutList(ctx context.Context, access wallet.Access, name string, document []byte) (Preview, error) {
	v, err := s.wallets.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Preview{}, err
	}
	if err := policy.CheckListName("name", name); err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, access.Caller(), Target{Kind: policy.Wallet, WalletID: v.ID, List: name}, document)
}

func (s *Service) preview(ctx context.Context, who *auth.Principal, t Target, document []byte) (p Preview, err error) {
	if document != nil {
		if p.Document, err = s.parse(ctx, who, t, document); err != nil {
			return Preview{}, err
		}
	}
	err = s.store.EditPolicy(ctx, who, t, func(e *Edit) error {
		if err := e.mayChange(who); err != nil {
			return err
		}
		if p.Warnings, err = e.warnings(p.Document); err != nil {
			return err
		}
		if p.Unchanged, err = e.unchanged(p.Document); err != nil || p.Unchanged {
			return cmp.Or(err, errPreview)
		}
		if err := e.fits(p.Document); err != nil {
			return err
		}
		wider, err := e.loosens(p.Document)
		if err != nil {
			return err
		}
		p.Loosens, p.Conditions = wider, e.conditions()
		return errPreview
	})
	if errors.Is(err, errPreview) {
		err = nil
	}
	return p, err
}
