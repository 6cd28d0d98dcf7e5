package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

// CreateUser implements auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, who *auth.Principal, u auth.User, e auth.Event) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		return insertUser(ctx, q, u, e)
	})
}

func insertUser(ctx context.Context, q *db.Queries, u auth.User, e auth.Event) error {
	err := q.CreateUser(ctx, db.CreateUserParams{
		UserID: u.ID, Name: u.Name, NameFolded: auth.FoldName(u.Name),
		PasswordHash: u.PasswordHash, PasswordIsDefault: u.PasswordIsDefault, IsAdmin: u.Admin,
		DisabledAt: sqltype.NullTime{Time: u.DisabledAt}, CreatedAt: sqltype.Time{Time: u.CreatedAt},
	})
	if isUnique(err) {
		return auth.ErrUserExists
	}
	if err != nil {
		return fmt.Errorf("insert a user: %w", err)
	}
	return addEvent(ctx, q, e)
}

// UserByName implements auth.UserStore.
func (s *Store) UserByName(ctx context.Context, name string) (auth.User, error) {
	if err := s.checkDamage(); err != nil {
		return auth.User{}, err
	}
	return userByName(ctx, s.reads(), name)
}

func userByName(ctx context.Context, q *db.Queries, name string) (auth.User, error) {
	row, err := q.UserByName(ctx, auth.FoldName(name))
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, auth.ErrUserNotFound
	}
	if err != nil {
		return auth.User{}, translate(fmt.Errorf("select a user: %w", err))
	}
	return userOf(row), nil
}

func userOf(row db.User) auth.User {
	return auth.User{
		ID: row.UserID, Name: row.Name, PasswordHash: row.PasswordHash,
		PasswordIsDefault: row.PasswordIsDefault, Admin: row.IsAdmin,
		DisabledAt: row.DisabledAt.Time, CreatedAt: row.CreatedAt.Time, Quotas: limitsOf(row.Quotas), AccessVersion: row.AccessVersion,
	}
}

// ListUsers implements auth.UserStore.
func (s *Store) ListUsers(ctx context.Context, after string, limit int) ([]auth.User, error) {
	rows, err := s.reads().ListUsers(ctx, db.ListUsersParams{After: after, MaxRows: int64(limit)})
	if err != nil {
		return nil, translate(fmt.Errorf("list users: %w", err))
	}
	users := make([]auth.User, len(rows))
	for i, row := range rows {
		users[i] = userOf(row)
	}
	return users, nil
}

// EditUser implements auth.UserStore.
func (s *Store) EditUser(ctx context.Context, who *auth.Principal, name string, edit func(*auth.UserEdit) error) (auth.User, error) {
	var edited auth.UserEdit
	err := s.withUrgentEvents(ctx, func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		u, err := userByName(ctx, q, name)
		if err != nil {
			return err
		}
		others, err := q.CountOtherActiveAdmins(ctx, u.ID)
		if err != nil {
			return fmt.Errorf("count the other admins: %w", err)
		}
		edited = auth.UserEdit{User: u, OtherAdmins: int(others)}
		if edited.SoleWallets, err = q.WalletsSolelyOwned(ctx, u.ID); err != nil {
			return fmt.Errorf("list the wallets that have no other owner: %w", err)
		}
		if err := edit(&edited); err != nil {
			return err
		}
		return saveUser(ctx, q, log, edited)
	})
	return edited.User, err
}

func saveUser(ctx context.Context, q *db.Queries, log *eventLog, e auth.UserEdit) error {
	if e.Remove || e.DropTokens {
		if err := dropAccess(ctx, q, log, e); err != nil {
			return err
		}
	}
	if e.Remove {
		return removeUser(ctx, q, log, e)
	}
	err := q.UpdateUser(ctx, db.UpdateUserParams{
		UserID: e.ID, PasswordHash: e.PasswordHash, PasswordIsDefault: e.PasswordIsDefault,
		IsAdmin: e.Admin, DisabledAt: sqltype.NullTime{Time: e.DisabledAt}, Quotas: e.Quotas.String(),
	})
	if err != nil {
		return fmt.Errorf("update the user: %w", err)
	}
	if e.KeepAccess {
		if err := q.SetAccessVersion(ctx, db.SetAccessVersionParams{UserID: e.ID, AccessVersion: e.AccessVersion}); err != nil {
			return fmt.Errorf("keep the user's access version: %w", err)
		}
	}
	if e.KeepSession != "" {
		if err := keepSession(ctx, q, e); err != nil {
			return err
		}
	}
	return addEvent(ctx, q, e.Event)
}

// removeUser deletes a user, and their sessions in the order of holdCredential.
func removeUser(ctx context.Context, q *db.Queries, log *eventLog, e auth.UserEdit) error {
	if err := log.addUserDeleted(ctx, q, e.User, e.SoleWallets, event.ActorOf(e.Event)); err != nil {
		return err
	}
	for _, id := range e.SoleWallets {
		if err := q.RemoveWalletLater(ctx, id); err != nil {
			return fmt.Errorf("mark a wallet for removal: %w", err)
		}
	}
	if err := q.DeleteSessionsOfUser(ctx, e.ID); err != nil {
		return fmt.Errorf("delete the user's sessions: %w", err)
	}
	if err := q.DeleteUser(ctx, e.ID); err != nil {
		return fmt.Errorf("delete the user: %w", err)
	}
	if err := q.ForgetQuotaUse(ctx, e.ID); err != nil {
		return fmt.Errorf("delete the user's quota counters: %w", err)
	}
	return addEvent(ctx, q, e.Event)
}

// dropAccess deletes the user's tokens and invitations of others, and disables their webhooks.
func dropAccess(ctx context.Context, q *db.Queries, log *eventLog, e auth.UserEdit) error {
	if !e.Remove { // otherwise their events go with the user
		if err := log.addAllRevoked(ctx, q, e.ID, event.ActorOf(e.Event)); err != nil {
			return err
		}
		if err := disableAccessOf(ctx, q, log, e.ID, event.ActorOf(e.Event)); err != nil {
			return err
		}
	}
	if err := q.DeleteTokensOfUser(ctx, e.ID); err != nil {
		return fmt.Errorf("delete the user's tokens: %w", err)
	}
	if err := q.DeleteInvitationsBy(ctx, e.ID); err != nil {
		return fmt.Errorf("delete the user's invitations of others: %w", err)
	}
	return nil
}

// CountDefaultPasswords returns how many active users still have the initial password of
// a new database.
func (s *Store) CountDefaultPasswords(ctx context.Context) (int, error) {
	n, err := s.reads().CountDefaultPasswords(ctx)
	if err != nil {
		return 0, translate(fmt.Errorf("count the default passwords: %w", err))
	}
	return int(n), nil
}
