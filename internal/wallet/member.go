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

var (
	errUserDisabled = fault.New(fault.Conflict, "user_disabled", "this user is disabled; enable them first")
	errNotAdded     = fault.New(fault.Conflict, "member_not_added", "this user cannot be added; invite them instead")
)

// maxAliasTries is the maximum number of aliases that are tried for a user who is
// added as a member.
const maxAliasTries = 100

// Members returns the members of a wallet. Every member may list them.
func (s *Service) Members(ctx context.Context, access Access) ([]Member, error) {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return nil, err
	}
	return s.store.Members(ctx, v.ID)
}

// PutMember changes the role of a member. It requires the role owner. If enabled,
// admins may also add a user without an invitation; created reports whether a user
// was added. It returns ErrLastOwner, and ErrMemberMissing whether or not the user
// exists. Admins who may add members get an error such as auth.ErrUserNotFound instead
// of ErrMemberMissing.
func (s *Service) PutMember(ctx context.Context, access Access, user string, role auth.WalletRole) (m Member, created bool, err error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Member{}, false, err
	}
	if err := checkRole(role); err != nil {
		return Member{}, false, err
	}
	who := access.Caller()
	if err := who.CheckRoleGrant(role); err != nil {
		return Member{}, false, err
	}
	err = s.editMembers(ctx, access, func(e *MemberEdit, callers auth.WalletRole) error {
		if err := e.checkGrant(callers, role); err != nil {
			return err
		}
		i := e.memberNamed(user)
		if i < 0 {
			return ErrMemberMissing
		}
		e.Members[i].Role = role
		m = e.Members[i]
		e.Event = who.Event(s.now(), "member.put", v.ID, m.UserName+" as "+string(role))
		return checkOwned(e)
	})
	if !errors.Is(err, ErrMemberMissing) || !s.mayAddMembers(who) {
		return m, false, err
	}
	m, err = s.addMember(ctx, access, v, user, role)
	return m, err == nil, err
}

// errLimited is returned if a token with a spending policy would let others propose payments.
var errLimited = fault.New(fault.Forbidden, "scope_exceeded", "a token with a spending policy can grant only the role viewer, because its policy does not limit the payments of other users")

// checkGrant returns an error unless a caller with a role may grant another role.
func (e *MemberEdit) checkGrant(callers, role auth.WalletRole) error {
	if err := callers.Check(auth.RoleOwner); err != nil {
		return err
	}
	if e.Limited && role.Covers(auth.RoleProposer) {
		return errLimited
	}
	return nil
}

// mayAddMembers reports whether the caller may add users to wallets that the caller
// owns. This requires the scope for reading users, because the result of adding a
// user reveals whether the user exists.
func (s *Service) mayAddMembers(who *auth.Principal) bool {
	return s.adminsAddMembers && who.Admin && who.Scopes.Has(auth.UsersRead)
}

// addMember adds a user as a member, under the alias that Specter's rule derives
// from the wallet's name, with a number appended if the user has or had another
// wallet with that alias.
func (s *Service) addMember(ctx context.Context, access Access, v View, user string, role auth.WalletRole) (Member, error) {
	u, err := s.users.UserByName(ctx, user)
	if err != nil {
		return Member{}, err
	}
	if !u.Active() {
		return Member{}, errUserDisabled
	}
	theirs := btc.Alias(v.Name)
	if checkAlias(theirs) != nil {
		theirs = v.Alias
	}
	var m Member
	for n := range maxAliasTries {
		m = Member{UserID: u.ID, UserName: u.Name, Role: role, Alias: numberedAlias(theirs, n+1), CreatedAt: s.now()}
		err = s.editMembers(ctx, access, func(e *MemberEdit, callers auth.WalletRole) error {
			if err := e.checkGrant(callers, role); err != nil {
				return err
			}
			if e.member(u.ID) >= 0 {
				return ErrMemberExists
			}
			e.Members, e.KeepAliases = append(e.Members, m), true
			e.Invitations = slices.DeleteFunc(e.Invitations, func(i Invitation) bool { return i.UserID == u.ID })
			e.Event = access.Caller().Event(m.CreatedAt, "member.put", v.ID, u.Name+" as "+string(role))
			return nil
		})
		if !errors.Is(err, ErrAliasTaken) {
			break
		}
		err = errNotAdded
	}
	if errors.Is(err, ErrExists) { // the error names a wallet of the user, which the caller must not learn
		err = errNotAdded
	}
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// RemoveMember removes a user from the wallet. Members may remove themselves; to remove
// others, a caller must be an owner. It returns ErrMemberMissing if the user is not a
// member, and ErrLastOwner if no owner would remain.
func (s *Service) RemoveMember(ctx context.Context, access Access, user string) error {
	v, err := s.View(ctx, access, auth.RoleViewer)
	if err != nil {
		return err
	}
	who := access.Caller()
	return s.editMembers(ctx, access, func(e *MemberEdit, callers auth.WalletRole) error {
		i := e.memberNamed(user)
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

// editMembers changes a wallet's members. Change receives the caller's current
// role, which may have changed since the access was created.
func (s *Service) editMembers(ctx context.Context, access Access, change func(e *MemberEdit, callers auth.WalletRole) error) error {
	who, id := access.Caller(), access.WalletID()
	err := s.store.EditMembers(ctx, who, id, func(e *MemberEdit) error {
		i := e.member(who.UserID)
		if i < 0 {
			return ErrNotFound
		}
		if err := change(e, e.Members[i].Role); err != nil {
			return err
		}
		e.dropInvitations()
		return nil
	})
	if err != nil {
		return fmt.Errorf("change the members of wallet %s: %w", id, err)
	}
	return nil
}

// member returns the index of a user among the members, or -1.
func (e *MemberEdit) member(userID string) int {
	return slices.IndexFunc(e.Members, func(m Member) bool { return m.UserID == userID })
}

// memberNamed returns the index of the user of this name among the members, or -1.
func (e *MemberEdit) memberNamed(user string) int {
	return slices.IndexFunc(e.Members, func(m Member) bool { return auth.FoldName(m.UserName) == auth.FoldName(user) })
}

// dropInvitations deletes the invitations from users who are not owners any more.
func (e *MemberEdit) dropInvitations() {
	e.Invitations = slices.DeleteFunc(e.Invitations, func(i Invitation) bool {
		return !e.isOwner(i.InviterID)
	})
}

func (e *MemberEdit) isOwner(userID string) bool {
	i := e.member(userID)
	return i >= 0 && e.Members[i].Role.Covers(auth.RoleOwner)
}

func checkRole(role auth.WalletRole) error {
	if role.Covers(auth.RoleViewer) {
		return nil
	}
	return fault.InvalidField("role", "must be %s, %s, %s or %s", auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner)
}

func checkOwned(e *MemberEdit) error {
	if slices.ContainsFunc(e.Members, func(m Member) bool { return m.Role.Covers(auth.RoleOwner) }) {
		return nil
	}
	return ErrLastOwner
}
