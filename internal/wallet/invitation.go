package wallet

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// invitationLifetime is the time until an invitation expires.
const invitationLifetime = 14 * 24 * time.Hour

// maxInvitations is the maximum number of pending invitations of a wallet.
const maxInvitations = 100

var errTooManyInvitations = fault.New(fault.Conflict, "too_many_invitations",
	"the wallet has %d pending invitations, which is the limit; delete some", maxInvitations)

// Invitation is an offer to a user to become a member of a wallet.
type Invitation struct {
	ID         string
	WalletID   string
	WalletName string
	// UserID is the only user who can accept it: the one who had the name when the
	// invitation was created. It is empty if there was no such user. Only the invited
	// user may learn whether it is set.
	UserID        string
	UserName      string // as the inviter typed it
	Role          auth.WalletRole
	InviterID     string
	InviterName   string
	InviterActive bool
	CreatedAt     time.Time
	ExpiresAt     time.Time
}

// isFor reports whether a user may accept it, if it is not expired.
func (i *Invitation) isFor(userID string) bool { return userID != "" && i.UserID == userID }

func (i *Invitation) isExpired(now time.Time) bool { return !now.Before(i.ExpiresAt) }

// Invite offers a user membership of a wallet. It requires the role owner. The
// result is the same whether or not the user exists. It returns ErrMemberExists and
// ErrInvitationExists.
func (s *Service) Invite(ctx context.Context, access Access, user string, role auth.WalletRole) (Invitation, error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return Invitation{}, err
	}
	if err := checkRole(role); err != nil {
		return Invitation{}, err
	}
	if err := auth.CheckUserName("user", user); err != nil {
		return Invitation{}, err
	}
	who := access.Caller()
	if err := who.CheckRoleGrant(role); err != nil {
		return Invitation{}, err
	}
	now := s.now()
	i := Invitation{
		ID: uuid.NewString(), WalletID: v.ID, WalletName: v.Name, UserName: user, Role: role,
		InviterID: who.UserID, InviterName: who.UserName, InviterActive: true, CreatedAt: now, ExpiresAt: now.Add(invitationLifetime),
	}
	return i, s.editMembers(ctx, access, func(e *MemberEdit, callers auth.WalletRole) error {
		if err := e.checkGrant(callers, role); err != nil {
			return err
		}
		if e.memberNamed(user) >= 0 {
			return ErrMemberExists
		}
		e.Invitations = slices.DeleteFunc(e.Invitations, func(other Invitation) bool { return other.isExpired(now) })
		if len(e.Invitations) >= maxInvitations {
			return errTooManyInvitations
		}
		e.Invitations = append(e.Invitations, i)
		e.Event = who.Event(now, "invitation.create", v.ID, user+" as "+string(role))
		return nil
	})
}

// Invitations returns the pending invitations of a wallet. It requires the role owner.
func (s *Service) Invitations(ctx context.Context, access Access) ([]Invitation, error) {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return nil, err
	}
	invitations, err := s.store.InvitationsOfWallet(ctx, v.ID)
	now := s.now()
	return slices.DeleteFunc(invitations, func(i Invitation) bool { return i.isExpired(now) }), err
}

// OwnInvitations returns the invitations that the caller can accept.
func (s *Service) OwnInvitations(ctx context.Context, who *auth.Principal) ([]Invitation, error) {
	invitations, err := s.store.InvitationsOfUser(ctx, who.UserID)
	now := s.now()
	return slices.DeleteFunc(invitations, func(i Invitation) bool {
		return i.isExpired(now) || !i.InviterActive || !who.MaySeeWallet(i.WalletID)
	}), err
}

// Accept makes the caller a member of the wallet that they were invited to, under
// an alias of their choice. The default alias is derived from the wallet's name by
// Specter's rule, unless the caller used it for another wallet before. It returns
// ErrInvitationNotFound, ErrAliasTaken, and ErrExists if the caller has another
// wallet with the same addresses.
func (s *Service) Accept(ctx context.Context, who *auth.Principal, id, alias string) (View, error) {
	m := Member{UserID: who.UserID, UserName: who.UserName}
	walletID := ""
	err := s.editInvitation(ctx, who, id, func(e *MemberEdit, i Invitation) error {
		now := s.now()
		if !i.isFor(who.UserID) || i.isExpired(now) || !i.InviterActive || !e.isOwner(i.InviterID) {
			return ErrInvitationNotFound
		}
		var err error
		if m.Alias, err = aliasFor(i.WalletName, alias); err != nil {
			return err
		}
		m.Role, m.CreatedAt, walletID = i.Role, now, i.WalletID
		if e.member(m.UserID) >= 0 {
			return ErrMemberExists
		}
		e.Members, e.KeepAliases = append(e.Members, m), alias == ""
		e.Event = who.Event(now, "invitation.accept", i.WalletID, string(i.Role)+", invited by "+i.InviterName)
		return nil
	})
	if errors.Is(err, ErrAliasTaken) && alias == "" {
		err = ErrAliasTaken.WithMessage("you have, or had, another wallet with the alias %s; choose an alias for this one", m.Alias)
	}
	if err != nil {
		return View{}, err
	}
	return s.Get(ctx, Access{who, auth.Membership{WalletID: walletID, Alias: m.Alias, Role: m.Role}})
}

// EndInvitation deletes an invitation: the invited user declines it, or an owner of the
// wallet withdraws it. For anyone else, and for an invitation that does not exist, it
// returns ErrInvitationNotFound.
func (s *Service) EndInvitation(ctx context.Context, who *auth.Principal, id string) error {
	return s.editInvitation(ctx, who, id, func(e *MemberEdit, i Invitation) error {
		switch {
		case i.isExpired(s.now()):
			return ErrInvitationNotFound
		case i.isFor(who.UserID):
			e.Event = who.Event(s.now(), "invitation.decline", i.WalletID, "")
		case e.isOwner(who.UserID):
			e.Event = who.Event(s.now(), "invitation.delete", i.WalletID, i.UserName)
		default:
			return ErrInvitationNotFound
		}
		return nil
	})
}

// editInvitation deletes an invitation and calls change, which can change the members
// of the wallet, in one transaction. Change must return an error if the caller may
// not do this; then nothing is changed.
func (s *Service) editInvitation(ctx context.Context, who *auth.Principal, id string, change func(e *MemberEdit, i Invitation) error) error {
	walletID, err := s.store.WalletOfInvitation(ctx, id)
	if err != nil {
		return err
	}
	if !who.MaySeeWallet(walletID) {
		return ErrInvitationNotFound
	}
	err = s.store.EditMembers(ctx, who, walletID, func(e *MemberEdit) error {
		at := slices.IndexFunc(e.Invitations, func(i Invitation) bool { return i.ID == id })
		if at < 0 {
			return ErrInvitationNotFound
		}
		i := e.Invitations[at]
		e.Invitations = slices.Delete(e.Invitations, at, at+1)
		return change(e, i)
	})
	if errors.Is(err, ErrNotFound) {
		return ErrInvitationNotFound
	}
	return err
}
