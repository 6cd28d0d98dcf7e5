package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// Memberships implements auth.TokenStore.
func (s *Store) Memberships(ctx context.Context, userID string) ([]auth.Membership, error) {
	rows, err := s.reads().WalletsOfUser(ctx, userID)
	if err != nil {
		return nil, translate(fmt.Errorf("list the user's wallets: %w", err))
	}
	members := make([]auth.Membership, len(rows))
	for i, row := range rows {
		members[i] = auth.Membership{WalletID: row.WalletID, Name: row.Name, Alias: row.Alias, Role: auth.WalletRole(row.Role)}
	}
	return members, nil
}

// Members implements wallet.Registry.
func (s *Store) Members(ctx context.Context, walletID string) ([]wallet.Member, error) {
	return membersOf(ctx, s.reads(), walletID)
}

func membersOf(ctx context.Context, q *db.Queries, walletID string) ([]wallet.Member, error) {
	rows, err := q.Members(ctx, walletID)
	if err != nil {
		return nil, translate(fmt.Errorf("list the members of a wallet: %w", err))
	}
	members := make([]wallet.Member, len(rows))
	for i, row := range rows {
		members[i] = wallet.Member{
			UserID: row.Member.UserID, UserName: row.UserName, Role: auth.WalletRole(row.Member.Role),
			Alias: row.Member.Alias, CreatedAt: row.Member.CreatedAt.Time,
		}
	}
	return members, nil
}

// EditMembers implements wallet.Registry.
func (s *Store) EditMembers(ctx context.Context, walletID string, edit func(*wallet.MemberEdit) error) error {
	return s.inUrgentTx(ctx, func(q *db.Queries) error {
		before, err := membersOf(ctx, q, walletID)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return wallet.ErrNotFound
		}
		edited := wallet.MemberEdit{Members: slices.Clone(before)}
		if err := edit(&edited); err != nil {
			return err
		}
		if err := s.saveMembers(ctx, q, walletID, before, edited.Members); err != nil {
			return err
		}
		return addEventIfAny(ctx, q, edited.Event)
	})
}

func (s *Store) saveMembers(ctx context.Context, q *db.Queries, walletID string, before, after []wallet.Member) error {
	for _, m := range before {
		if slices.ContainsFunc(after, func(a wallet.Member) bool { return a.UserID == m.UserID }) {
			continue
		}
		if err := q.DeleteMember(ctx, db.DeleteMemberParams{WalletID: walletID, UserID: m.UserID}); err != nil {
			return fmt.Errorf("delete a member: %w", err)
		}
	}
	for _, m := range after {
		if slices.Contains(before, m) {
			continue
		}
		if err := putMember(ctx, q, walletID, m); err != nil {
			return err
		}
		if slices.ContainsFunc(before, func(b wallet.Member) bool { return b.UserID == m.UserID }) {
			continue
		}
		if err := s.chargeUser(ctx, q, auth.QuotaWallets, m.UserID); err != nil {
			return err
		}
	}
	return nil
}

func putMember(ctx context.Context, q *db.Queries, walletID string, m wallet.Member) error {
	_, err := q.PutMember(ctx, db.PutMemberParams{
		WalletID: walletID, UserID: m.UserID, Role: string(m.Role), Alias: m.Alias,
		CreatedAt: sqltype.Time{Time: m.CreatedAt},
	})
	switch {
	case isUnique(err):
		return wallet.ErrAliasTaken
	case isForeignKey(err): // the user is gone meanwhile
		return auth.ErrUserNotFound
	case err != nil:
		return fmt.Errorf("put a member: %w", err)
	}
	return nil
}
