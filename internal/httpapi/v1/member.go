package v1

import (
	"context"
	"time"

	"github.com/specterd/specterd/internal/auth"
	wallets "github.com/specterd/specterd/internal/wallet"
)

type member struct {
	User      string    `json:"user" required:"true" description:"The user's name."`
	Role      string    `json:"role" required:"true" enum:"viewer,proposer,signer,owner"`
	CreatedAt time.Time `json:"created_at" required:"true" description:"Time when the user became a member."`
}

func memberOf(m wallets.Member) member {
	return member{m.UserName, string(m.Role), m.CreatedAt.UTC()}
}

// ListMembers serves GET /api/v1/wallets/{alias}/members.
func (a *API) ListMembers(ctx context.Context, _ walletRequest) (list[member], error) {
	members, err := a.o.Wallets.Members(ctx, access(ctx))
	if err != nil {
		return list[member]{}, err
	}
	return newList(members, len(members), memberOf, nil), nil // few enough for one page
}

type memberRequest struct {
	walletRequest
	User string `path:"user" json:"-" example:"alice" description:"The user's name, without regard to case."`
}

type putMemberRequest struct {
	memberRequest
	Role string `json:"role" required:"true" enum:"viewer,proposer,signer,owner" example:"viewer" description:"A viewer reads; a proposer also proposes payments and reveals addresses; a signer also signs and broadcasts; an owner also manages the wallet and its members."`
}

// PutMember serves PUT /api/v1/wallets/{alias}/members/{user}.
func (a *API) PutMember(ctx context.Context, in putMemberRequest) (member, bool, error) {
	m, created, err := a.o.Wallets.PutMember(ctx, access(ctx), in.User, auth.WalletRole(in.Role))
	return memberOf(m), created, err
}

// DeleteMember serves DELETE /api/v1/wallets/{alias}/members/{user}.
func (a *API) DeleteMember(ctx context.Context, in memberRequest) error {
	return a.o.Wallets.RemoveMember(ctx, access(ctx), in.User)
}
