package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// maxSmall is the maximum number of memberships in a list that is cached.
const maxSmall = 20

// membershipsOf is the key of the memberships of a user for credentialReader.remember.
type membershipsOf struct{ userID string }

// Memberships implements auth.TokenStore.
func (s *Store) Memberships(ctx context.Context, userID string) ([]auth.Membership, error) {
	members, err := remember(ctx, s, membershipsOf{userID}, func() ([]auth.Membership, bool, error) {
		members, err := s.readMemberships(ctx, userID)
		return members, len(members) <= maxSmall, err
	})
	return slices.Clone(members), err
}

func (s *Store) readMemberships(ctx context.Context, userID string) ([]auth.Membership, error) {
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
func (s *Store) EditMembers(ctx context.Context, who *auth.Principal, walletID string, edit func(*wallet.MemberEdit) error) error {
	return s.withUrgentEvents(ctx, func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		before, err := membersOf(ctx, q, walletID)
		if err != nil {
			return err
		}
		if len(before) == 0 {
			return wallet.ErrNotFound
		}
		invited, err := invitationsOf(ctx, q, walletID)
		if err != nil {
			return err
		}
		edited := wallet.MemberEdit{Members: slices.Clone(before), Invitations: slices.Clone(invited)}
		if edited.Limited, err = isLimited(ctx, q, who); err != nil {
			return err
		}
		if err := edit(&edited); err != nil {
			return err
		}
		if err := s.saveInvitations(ctx, q, invited, edited.Invitations); err != nil {
			return err
		}
		if err := s.saveMembers(ctx, q, walletID, before, edited); err != nil {
			return err
		}
		if err := log.addMemberEvents(ctx, q, walletID, before, event.ActorOf(edited.Event)); err != nil {
			return err
		}
		return addEventIfAny(ctx, q, edited.Event)
	})
}

// isLimited reports whether the caller's token or an ancestor of it has a spending policy.
func isLimited(ctx context.Context, q *db.Queries, who *auth.Principal) (bool, error) {
	if who.TokenID == "" {
		return false, nil
	}
	rows, err := q.TokenPolicies(ctx, who.TokenID)
	if err != nil {
		return false, fmt.Errorf("select the policies of a token: %w", err)
	}
	return slices.ContainsFunc(rows, func(row db.TokenPoliciesRow) bool { return row.Policy != "" }), nil
}

func (s *Store) saveMembers(ctx context.Context, q *db.Queries, walletID string, before []wallet.Member, e wallet.MemberEdit) error {
	has := func(all []wallet.Member, userID string) bool {
		return slices.ContainsFunc(all, func(m wallet.Member) bool { return m.UserID == userID })
	}
	for _, m := range before {
		if has(e.Members, m.UserID) {
			continue
		}
		if err := q.DeleteMember(ctx, db.DeleteMemberParams{WalletID: walletID, UserID: m.UserID}); err != nil {
			return fmt.Errorf("delete a member: %w", err)
		}
	}
	for _, m := range e.Members {
		var err error
		switch {
		case slices.Contains(before, m):
		case has(before, m.UserID):
			err = saveMember(ctx, q, walletID, m)
		default:
			err = s.addMember(ctx, q, walletID, m, e.KeepAliases)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) addMember(ctx context.Context, q *db.Queries, walletID string, m wallet.Member, keepAliases bool) error {
	if err := checkJoins(ctx, q, walletID, m, keepAliases); err != nil {
		return err
	}
	if err := saveMember(ctx, q, walletID, m); err != nil {
		return err
	}
	return s.chargeUser(ctx, q, auth.QuotaWallets, m.UserID)
}

// saveMember saves a member of a wallet that is ready. From then on, the alias counts as
// used.
func saveMember(ctx context.Context, q *db.Queries, walletID string, m wallet.Member) error {
	if err := putMember(ctx, q, walletID, m); err != nil {
		return err
	}
	if err := q.UseAlias(ctx, db.UseAliasParams{UserID: m.UserID, Alias: m.Alias, WalletID: walletID}); err != nil {
		return fmt.Errorf("record a used alias: %w", err)
	}
	return nil
}

// checkJoins returns wallet.ErrExists if the user has another wallet with the same
// addresses, and wallet.ErrAliasTaken if keepAliases is set and the user has used the
// alias for another wallet before.
func checkJoins(ctx context.Context, q *db.Queries, walletID string, m wallet.Member, keepAliases bool) error {
	if keepAliases {
		used, err := aliasUse(ctx, q, m.UserID, m.Alias)
		if err != nil {
			return err
		}
		if used != "" && used != walletID {
			return wallet.ErrAliasTaken
		}
	}
	return checkAddresses(ctx, q, walletID, m.UserID)
}

// checkAddresses returns wallet.ErrExists, with the alias, if the user has another wallet
// with the same addresses.
func checkAddresses(ctx context.Context, q *db.Queries, walletID, userID string) error {
	same, err := q.SameAddresses(ctx, db.SameAddressesParams{UserID: userID, WalletID: walletID})
	if err != nil {
		return fmt.Errorf("look for the addresses of a wallet in others: %w", err)
	}
	if len(same) > 0 {
		return wallet.ErrExistsAs(same[0])
	}
	return nil
}

// AliasUse implements wallet.Registry.
func (s *Store) AliasUse(ctx context.Context, userID, alias string) (string, error) {
	return aliasUse(ctx, s.reads(), userID, alias)
}

func aliasUse(ctx context.Context, q *db.Queries, userID, alias string) (walletID string, err error) {
	walletID, err = q.AliasUse(ctx, db.AliasUseParams{UserID: userID, Alias: alias})
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", translate(fmt.Errorf("select a used alias: %w", err))
	}
	return walletID, nil
}

func putMember(ctx context.Context, q *db.Queries, walletID string, m wallet.Member) error {
	_, err := q.PutMember(ctx, db.PutMemberParams{
		WalletID: walletID, UserID: m.UserID, Role: string(m.Role), Alias: m.Alias,
		CreatedAt: sqltype.Time{Time: m.CreatedAt},
	})
	switch {
	case isUnique(err):
		return wallet.ErrAliasTaken
	case isForeignKey(err): // the user was deleted meanwhile
		return auth.ErrUserNotFound
	case err != nil:
		return fmt.Errorf("put a member: %w", err)
	}
	return nil
}
