package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// InvitationsOfWallet implements wallet.Registry.
func (s *Store) InvitationsOfWallet(ctx context.Context, walletID string) ([]wallet.Invitation, error) {
	return invitationsOf(ctx, s.reads(), walletID)
}

func invitationsOf(ctx context.Context, q *db.Queries, walletID string) ([]wallet.Invitation, error) {
	rows, err := q.InvitationsOfWallet(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list the invitations of a wallet: %w", err))
	}
	invitations := make([]wallet.Invitation, len(rows))
	for i, row := range rows {
		invitations[i] = invitationOf(row)
	}
	return invitations, nil
}

// InvitationsOfUser implements wallet.Registry.
func (s *Store) InvitationsOfUser(ctx context.Context, userID string) ([]wallet.Invitation, error) {
	rows, err := s.reads().InvitationsOfUser(ctx, &userID)
	if err != nil {
		return nil, translate(fmt.Errorf("list the invitations of a user: %w", err))
	}
	invitations := make([]wallet.Invitation, len(rows))
	for i, row := range rows {
		invitations[i] = invitationOf(db.InvitationsOfWalletRow(row))
	}
	return invitations, nil
}

func invitationOf(row db.InvitationsOfWalletRow) wallet.Invitation {
	i := wallet.Invitation{
		ID: row.Invitation.InvitationID, WalletID: row.Invitation.WalletID, WalletName: row.WalletName,
		UserName: row.Invitation.UserName, Role: auth.WalletRole(row.Invitation.Role),
		InviterID: row.Invitation.InvitedBy, InviterName: row.InviterName, InviterActive: row.InviterActive,
		CreatedAt: row.Invitation.CreatedAt.Time, ExpiresAt: row.Invitation.ExpiresAt.Time,
	}
	if id := row.Invitation.UserID; id != nil {
		i.UserID = *id
	}
	return i
}

// WalletOfInvitation implements wallet.Registry.
func (s *Store) WalletOfInvitation(ctx context.Context, id string) (string, error) {
	walletID, err := s.reads().WalletOfInvitation(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", wallet.ErrInvitationNotFound
	}
	if err != nil {
		return "", translate(fmt.Errorf("select an invitation: %w", err))
	}
	return walletID, nil
}

// saveInvitations deletes the invitations that are not in after and adds the new ones.
// Invitations are immutable.
func (s *Store) saveInvitations(ctx context.Context, q *db.Queries, before, after []wallet.Invitation) error {
	lacks := func(all []wallet.Invitation, id string) bool {
		return !slices.ContainsFunc(all, func(i wallet.Invitation) bool { return i.ID == id })
	}
	for _, i := range before {
		if !lacks(after, i.ID) {
			continue
		}
		if err := q.DeleteInvitation(ctx, i.ID); err != nil {
			return fmt.Errorf("delete an invitation: %w", err)
		}
	}
	for _, i := range after {
		if !lacks(before, i.ID) {
			continue
		}
		if err := s.addInvitation(ctx, q, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) addInvitation(ctx context.Context, q *db.Queries, i wallet.Invitation) error {
	if err := q.DropInvitations(ctx, sqltype.Time{Time: i.CreatedAt}); err != nil {
		return fmt.Errorf("delete expired invitations: %w", err)
	}
	err := q.AddInvitation(ctx, db.AddInvitationParams{
		InvitationID: i.ID, WalletID: i.WalletID, NameFolded: auth.FoldName(i.UserName), UserName: i.UserName,
		Role: string(i.Role), InvitedBy: i.InviterID,
		CreatedAt: sqltype.Time{Time: i.CreatedAt}, ExpiresAt: sqltype.Time{Time: i.ExpiresAt},
	})
	if isUnique(err) {
		return wallet.ErrInvitationExists
	}
	if err != nil {
		return fmt.Errorf("insert an invitation: %w", err)
	}
	return s.chargeUser(ctx, q, auth.QuotaInvitations, i.InviterID)
}
