package wallet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

var errUserDisabled = fault.New(fault.Conflict, "user_disabled", "this user is disabled; an admin has to enable them first")

// maxAliasTries is how many wallets of one name somebody can be a member of
// before they have to rename one.
const maxAliasTries = 100

// Members returns the members of a wallet, to any of them.
func (s *Service) Members(ctx context.Context, who *auth.Principal, alias string) ([]Member, error) {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.Members(ctx, v.ID)
}

// PutMember makes a user a member, or gives a member another role. It is for
// owners. created reports whether they were none before: then their alias for the
// wallet is what Specter's rule makes of its name, with a number if they have such
// a wallet. It returns auth.ErrUserNotFound and ErrLastOwner.
func (s *Service) PutMember(ctx context.Context, who *auth.Principal, alias, user string, role auth.WalletRole) (m Member, created bool, err error) {
	if !role.Covers(auth.RoleViewer) {
		return Member{}, false, fault.InvalidField("role", "has to be %s, %s, %s or %s",
			auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner)
	}
	v, err := s.Open(ctx, who, alias, auth.RoleOwner)
	if err != nil {
		return Member{}, false, err
	}
	if err := who.MayGive(role); err != nil {
		return Member{}, false, err
	}
	u, err := s.users.UserByName(ctx, user)
	if err != nil {
		return Member{}, false, err
	}
	theirs := btc.Alias(v.Name)
	if checkAlias(theirs) != nil {
		theirs = v.Alias
	}
	for n := 1; ; n++ {
		m = Member{UserID: u.ID, UserName: u.Name, Role: role, Alias: numberedAlias(theirs, n), CreatedAt: s.now()}
		err = s.editMembers(ctx, who, v.ID, func(e *MemberEdit, callers auth.WalletRole) error {
			if err := callers.Check(auth.RoleOwner); err != nil {
				return err
			}
			e.Event = who.Event(s.now(), "member.put", v.ID, u.Name+" as "+string(role))
			m, created, err = put(e, m, u.Active())
			return err
		})
		if !errors.Is(err, ErrAliasTaken) || n == maxAliasTries {
			return m, created, err
		}
	}
}

// put adds m to the members, or gives the one that is there m's role.
func put(e *MemberEdit, m Member, active bool) (Member, bool, error) {
	i := slices.IndexFunc(e.Members, func(other Member) bool { return other.UserID == m.UserID })
	if i < 0 {
		if !active {
			return Member{}, false, errUserDisabled
		}
		e.Members = append(e.Members, m)
		return m, true, nil
	}
	e.Members[i].Role = m.Role
	return e.Members[i], false, checkOwned(e)
}

// RemoveMember ends a membership. It is for owners; anybody may end their own. It
// returns ErrMemberMissing and ErrLastOwner.
func (s *Service) RemoveMember(ctx context.Context, who *auth.Principal, alias, user string) error {
	v, err := s.Open(ctx, who, alias, auth.RoleViewer)
	if err != nil {
		return err
	}
	return s.editMembers(ctx, who, v.ID, func(e *MemberEdit, callers auth.WalletRole) error {
		i := slices.IndexFunc(e.Members, func(m Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(user) })
		if i < 0 {
			return ErrMemberMissing
		}
		if e.Members[i].UserID != who.UserID {
			if err := callers.Check(auth.RoleOwner); err != nil {
				return err
			}
		}
		e.Event = who.Event(s.now(), "member.remove", v.ID, e.Members[i].UserName)
		e.Members = slices.Delete(e.Members, i, i+1)
		return checkOwned(e)
	})
}

// editMembers changes a wallet's members. Change is told the caller's role, which
// may be another by now than when the wallet was looked up.
func (s *Service) editMembers(ctx context.Context, who *auth.Principal, id string, change func(e *MemberEdit, callers auth.WalletRole) error) error {
	err := s.store.EditMembers(ctx, id, func(e *MemberEdit) error {
		i := slices.IndexFunc(e.Members, func(m Member) bool { return m.UserID == who.UserID })
		if i < 0 {
			return ErrNotFound
		}
		return change(e, e.Members[i].Role)
	})
	if err != nil {
		return fmt.Errorf("change the members of wallet %s: %w", id, err)
	}
	return nil
}

func checkOwned(e *MemberEdit) error {
	if slices.ContainsFunc(e.Members, func(m Member) bool { return m.Role.Covers(auth.RoleOwner) }) {
		return nil
	}
	return ErrLastOwner
}
