package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func invitationOf(i wallets.Invitation) api.Invitation {
	return api.Invitation{ID: i.ID, User: i.UserName, Role: string(i.Role), InvitedBy: i.InviterName, CreatedAt: i.CreatedAt.UTC(), ExpiresAt: i.ExpiresAt.UTC()}
}

type createInvitationRequest struct {
	walletRequest
	api.CreateInvitationRequest
}

// CreateInvitation serves POST /api/v1/wallets/{alias}/invitations.
func (a *API) CreateInvitation(ctx context.Context, in createInvitationRequest) (api.Invitation, error) {
	i, err := a.o.Wallets.Invite(ctx, access(ctx), in.User, auth.WalletRole(in.Role))
	return invitationOf(i), err
}

// ListInvitations serves GET /api/v1/wallets/{alias}/invitations.
func (a *API) ListInvitations(ctx context.Context, _ walletRequest) (api.List[api.Invitation], error) {
	invitations, err := a.o.Wallets.Invitations(ctx, access(ctx))
	if err != nil {
		return api.List[api.Invitation]{}, err
	}
	return newList(invitations, len(invitations), invitationOf, nil), nil // few enough for one page
}

func ownInvitationOf(i wallets.Invitation) api.OwnInvitation {
	return api.OwnInvitation{ID: i.ID, Wallet: i.WalletName, Role: string(i.Role), InvitedBy: i.InviterName, ExpiresAt: i.ExpiresAt.UTC()}
}

// ListOwnInvitations serves GET /api/v1/invitations.
func (a *API) ListOwnInvitations(ctx context.Context, _ struct{}) (api.List[api.OwnInvitation], error) {
	invitations, err := a.o.Wallets.OwnInvitations(ctx, caller(ctx))
	if err != nil {
		return api.List[api.OwnInvitation]{}, err
	}
	return newList(invitations, len(invitations), ownInvitationOf, nil), nil // few enough for one page
}

type invitationRequest struct {
	ID string `path:"id" json:"-" description:"Id of the invitation."`
}

type acceptInvitationRequest struct {
	invitationRequest
	api.AcceptInvitationRequest
}

// AcceptInvitation serves POST /api/v1/invitations/{id}/accept.
func (a *API) AcceptInvitation(ctx context.Context, in acceptInvitationRequest) (api.Membership, error) {
	v, err := a.o.Wallets.Accept(ctx, caller(ctx), in.ID, in.Alias)
	return api.Membership{Alias: v.Alias, Name: v.Name, Role: string(v.Role)}, err
}

// DeleteInvitation serves DELETE /api/v1/invitations/{id}: the invited user declines the
// invitation, or an owner of the wallet withdraws it.
func (a *API) DeleteInvitation(ctx context.Context, in invitationRequest) error {
	return a.o.Wallets.EndInvitation(ctx, caller(ctx), in.ID)
}
