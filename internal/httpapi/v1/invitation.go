package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	wallets "github.com/specterd/specterd/internal/wallet"
)

// invitation is an invitation as the owners of the wallet see it. It does not reveal
// whether the user exists.
type invitation struct {
	ID        string    `json:"id" required:"true"`
	User      string    `json:"user" required:"true" description:"Name of the invited user, as given in the request; such a user may not exist."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Role in the wallet once the invitation is accepted."`
	InvitedBy string    `json:"invited_by" required:"true"`
	CreatedAt time.Time `json:"created_at" required:"true"`
	ExpiresAt time.Time `json:"expires_at" required:"true"`
}

func invitationOf(i wallets.Invitation) invitation {
	return invitation{i.ID, i.UserName, string(i.Role), i.InviterName, i.CreatedAt.UTC(), i.ExpiresAt.UTC()}
}

type createInvitationRequest struct {
	walletRequest
	User string `json:"user" required:"true" minLength:"1" maxLength:"64" example:"alice" description:"Name of the user to invite, without regard to case."`
	Role string `json:"role" required:"true" enum:"viewer,proposer,signer,owner" example:"viewer" description:"A viewer reads; a proposer also proposes payments and reveals addresses; a signer also signs and broadcasts; an owner also manages the wallet and its members."`
}

// CreateInvitation serves POST /api/v1/wallets/{alias}/invitations.
func (a *API) CreateInvitation(ctx context.Context, in createInvitationRequest) (invitation, error) {
	i, err := a.o.Wallets.Invite(ctx, access(ctx), in.User, auth.WalletRole(in.Role))
	return invitationOf(i), err
}

// ListInvitations serves GET /api/v1/wallets/{alias}/invitations.
func (a *API) ListInvitations(ctx context.Context, _ walletRequest) (list[invitation], error) {
	invitations, err := a.o.Wallets.Invitations(ctx, access(ctx))
	if err != nil {
		return list[invitation]{}, err
	}
	return newList(invitations, len(invitations), invitationOf, nil), nil // few enough for one page
}

// ownInvitation is an invitation as the invited user sees it.
type ownInvitation struct {
	ID        string    `json:"id" required:"true"`
	Wallet    string    `json:"wallet_name" required:"true" description:"Name of the wallet for all members."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner" description:"Role in the wallet once the invitation is accepted."`
	InvitedBy string    `json:"invited_by" required:"true"`
	ExpiresAt time.Time `json:"expires_at" required:"true"`
}

func ownInvitationOf(i wallets.Invitation) ownInvitation {
	return ownInvitation{i.ID, i.WalletName, string(i.Role), i.InviterName, i.ExpiresAt.UTC()}
}

// ListOwnInvitations serves GET /api/v1/invitations.
func (a *API) ListOwnInvitations(ctx context.Context, _ struct{}) (list[ownInvitation], error) {
	invitations, err := a.o.Wallets.OwnInvitations(ctx, caller(ctx))
	if err != nil {
		return list[ownInvitation]{}, err
	}
	return newList(invitations, len(invitations), ownInvitationOf, nil), nil // few enough for one page
}

type invitationRequest struct {
	ID string `path:"id" json:"-" description:"Id of the invitation."`
}

type acceptInvitationRequest struct {
	invitationRequest
	Alias string `json:"alias" maxLength:"64" example:"family_vault" description:"Your own name for the wallet in paths. Default: the name in lower case, with _ for spaces, unless you have, or had, another wallet with that alias."`
}

// membership is a wallet that the caller has become a member of.
type membership struct {
	Alias string `json:"alias" required:"true"`
	Name  string `json:"name" required:"true" description:"Name of the wallet for all members."`
	Role  string `json:"role" required:"true" enum:"viewer,proposer,signer,owner"`
}

// AcceptInvitation serves POST /api/v1/invitations/{id}/accept.
func (a *API) AcceptInvitation(ctx context.Context, in acceptInvitationRequest) (membership, error) {
	v, err := a.o.Wallets.Accept(ctx, caller(ctx), in.ID, in.Alias)
	return membership{v.Alias, v.Name, string(v.Role)}, err
}

// DeleteInvitation serves DELETE /api/v1/invitations/{id}: the invited user declines the
// invitation, or an owner of the wallet withdraws it.
func (a *API) DeleteInvitation(ctx context.Context, in invitationRequest) error {
	return a.o.Wallets.EndInvitation(ctx, caller(ctx), in.ID)
}
