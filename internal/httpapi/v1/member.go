package v1

import (
	"context"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	wallets "github.com/specterd/specterd/internal/wallet"
)

func memberOf(m wallets.Member) api.Member {
	return api.Member{User: m.UserName, Role: string(m.Role), CreatedAt: m.CreatedAt.UTC()}
}

// ListMembers serves GET /api/v1/wallets/{alias}/members.
func (a *API) ListMembers(ctx context.Context, _ walletRequest) (api.List[api.Member], error) {
	members, err := a.o.Wallets.Members(ctx, access(ctx))
	if err != nil {
		return api.List[api.Member]{}, err
	}
	return newList(members, len(members), memberOf, nil), nil // few enough for one page
}

type memberRequest struct {
	walletRequest
	User string `path:"user" json:"-" example:"alice" description:"The user's name, without regard to case."`
}

type putMemberRequest struct {
	memberRequest
	api.PutMemberRequest
}

// PutMember serves PUT /api/v1/wallets/{alias}/members/{user}.
func (a *API) PutMember(ctx context.Context, in putMemberRequest) (api.Member, bool, error) {
	m, created, err := a.o.Wallets.PutMember(ctx, access(ctx), in.User, auth.WalletRole(in.Role))
	return memberOf(m), created, err
}

// DeleteMember serves DELETE /api/v1/wallets/{alias}/members/{user}.
func (a *API) DeleteMember(ctx context.Context, in memberRequest) error {
	return a.o.Wallets.RemoveMember(ctx, access(ctx), in.User)
}
