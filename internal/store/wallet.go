package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// AddWallet implements wallet.Registry.
func (s *Store) AddWallet(ctx context.Context, w wallet.Wallet, ownerID, alias string, addresses []wallet.Address, e auth.Event) error {
	return s.inQuotaTx(ctx, ownerID, func(q *db.Queries) error {
		if err := insertWallet(ctx, q, w); err != nil {
			return err
		}
		if err := addKeys(ctx, q, w, ownerID); err != nil {
			return err
		}
		owner := wallet.Member{UserID: ownerID, Role: auth.RoleOwner, Alias: alias, CreatedAt: w.CreatedAt}
		if err := putMember(ctx, q, w.ID, owner); err != nil {
			return err
		}
		if err := addAddresses(ctx, q, w.ID, addresses); err != nil {
			return err
		}
		if err := checkAddresses(ctx, q, w.ID, ownerID); err != nil {
			return err
		}
		if err := s.chargeUser(ctx, q, auth.QuotaWallets, ownerID); err != nil {
			return err
		}
		return addEvent(ctx, q, e)
	})
}

func insertWallet(ctx context.Context, q *db.Queries, w wallet.Wallet) error {
	err := q.AddWallet(ctx, db.AddWalletParams{
		WalletID: w.ID, Name: w.Name, Stage: string(wallet.Creating), CoreName: w.CoreName, Script: string(w.Script),
		SignaturesRequired: w.SignaturesRequired, ReceiveDescriptor: w.Receive, ChangeDescriptor: w.Change,
		BirthdayHeight: w.Birthday, CreatedAt: sqltype.Time{Time: w.CreatedAt}, RangeEnd: w.RangeEnd,
		ReceiveNext: w.ReceiveNext, ChangeNext: w.ChangeNext, RescanFrom: scanFrom(w.RescanFrom), RescanUser: w.RescanUser,
	})
	if isUnique(err) { // the id is random, so the Core wallet is already in use
		return wallet.ErrHeld.WithCause(err)
	}
	if err != nil {
		return fmt.Errorf("insert a wallet: %w", err)
	}
	return nil
}

// WalletByID implements wallet.Registry.
func (s *Store) WalletByID(ctx context.Context, id string) (wallet.Wallet, error) {
	return walletByID(ctx, s.reads(), id)
}

func walletByID(ctx context.Context, q *db.Queries, id string) (wallet.Wallet, error) {
	row, err := q.WalletByID(ctx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return wallet.Wallet{}, wallet.ErrNotFound
	}
	if err != nil {
		return wallet.Wallet{}, translate(fmt.Errorf("select a wallet: %w", err))
	}
	w := walletOf(row)
	return w, fillKeys(ctx, q, &w)
}

// AllWallets implements wallet.Registry.
func (s *Store) AllWallets(ctx context.Context) ([]wallet.Wallet, error) {
	return allWallets(ctx, s.reads())
}

func allWallets(ctx context.Context, q *db.Queries) ([]wallet.Wallet, error) {
	rows, err := q.AllWallets(ctx)
	if err != nil {
		return nil, translate(fmt.Errorf("list all wallets: %w", err))
	}
	wallets := make([]wallet.Wallet, len(rows))
	pointers := make([]*wallet.Wallet, len(rows))
	for i, row := range rows {
		wallets[i] = walletOf(row)
		pointers[i] = &wallets[i]
	}
	return wallets, fillKeys(ctx, q, pointers...)
}

// EditWallet implements wallet.Registry.
func (s *Store) EditWallet(ctx context.Context, id string, edit func(*wallet.Edit) error) (wallet.Wallet, error) {
	var edited wallet.Edit
	err := s.withEvents(ctx, s.inRowTx, func(q *db.Queries, log *eventLog) error {
		if err := q.HoldWallet(ctx, id); err != nil {
			return fmt.Errorf("lock the wallet: %w", err)
		}
		w, err := walletByID(ctx, q, id)
		if err != nil {
			return err
		}
		edited = wallet.Edit{Wallet: w}
		if err := edit(&edited); err != nil {
			return err
		}
		if err := updateWallet(ctx, q, edited.Wallet); err != nil {
			return err
		}
		if w.Stage == wallet.Creating && edited.Stage == wallet.Ready { // the alias is now in use
			if err := q.UseAliasesOf(ctx, id); err != nil {
				return fmt.Errorf("record the used aliases: %w", err)
			}
		}
		if err := s.chargeEdit(ctx, q, edited); err != nil {
			return err
		}
		if err := log.addWalletEvents(ctx, q, w, edited); err != nil {
			return err
		}
		return addEventIfAny(ctx, q, edited.Event)
	})
	return edited.Wallet, err
}

func (s *Store) chargeEdit(ctx context.Context, q *db.Queries, e wallet.Edit) error {
	if e.Reached > 0 {
		if err := s.checkLimit(ctx, q, auth.QuotaAddresses, e.Caller.UserID, int64(e.Reached)); err != nil {
			return err
		}
	}
	if e.Queued {
		return s.chargeUser(ctx, q, auth.QuotaRescans, e.Caller.UserID)
	}
	return nil
}

func updateWallet(ctx context.Context, q *db.Queries, w wallet.Wallet) error {
	err := q.UpdateWallet(ctx, db.UpdateWalletParams{
		WalletID: w.ID, Name: w.Name, Stage: string(w.Stage), DeleteFiles: w.DeleteFiles, BirthdayHeight: w.Birthday,
		RescanFrom: scanFrom(w.RescanFrom), RescanProgress: w.RescanProgress, RescanRange: w.RescanRange, RescanUser: w.RescanUser, RescanProblem: w.RescanProblem,
		ReceiveNext: w.ReceiveNext, ChangeNext: w.ChangeNext, Problem: w.Problem, MaxFeeRate: w.MaxFeeRate, FinalAfter: w.FinalAfter,
	})
	if err != nil {
		return fmt.Errorf("update the wallet: %w", err)
	}
	return nil
}

// DeleteWallet implements wallet.Registry.
func (s *Store) DeleteWallet(ctx context.Context, id string, e auth.Event) error {
	return s.inTx(ctx, func(q *db.Queries) error {
		n, err := q.DeleteWallet(ctx, id)
		if err != nil {
			return fmt.Errorf("delete a wallet: %w", err)
		}
		if n == 0 {
			return wallet.ErrNotFound
		}
		if err := q.ForgetQuotaUse(ctx, id); err != nil {
			return fmt.Errorf("delete the wallet's quota counters: %w", err)
		}
		return addEventIfAny(ctx, q, e)
	})
}

// viewOfUser is the key of a wallet of a user for credentialReader.remember.
type viewOfUser struct{ userID, walletID string }

// View implements wallet.Registry.
func (s *Store) View(ctx context.Context, userID, walletID string) (wallet.View, error) {
	v, err := remember(ctx, s, viewOfUser{userID, walletID}, func() (wallet.View, bool, error) {
		v, err := s.readView(ctx, userID, walletID)
		return v, true, err
	})
	v.Keys = slices.Clone(v.Keys)
	return v, err
}

func (s *Store) readView(ctx context.Context, userID, walletID string) (wallet.View, error) {
	q := s.reads()
	row, err := q.ViewOfUser(ctx, db.ViewOfUserParams{UserID: userID, WalletID: walletID})
	if errors.Is(err, sql.ErrNoRows) {
		return wallet.View{}, wallet.ErrNotFound
	}
	if err != nil {
		return wallet.View{}, translate(fmt.Errorf("select a wallet of a user: %w", err))
	}
	v := viewOf(db.ViewsOfUserRow(row))
	return v, fillKeys(ctx, q, &v.Wallet)
}

// ViewsOfUser implements wallet.Registry.
func (s *Store) ViewsOfUser(ctx context.Context, userID, after string, limit int) ([]wallet.View, error) {
	if limit == 0 {
		limit = math.MaxInt32
	}
	q := s.reads()
	rows, err := q.ViewsOfUser(ctx, db.ViewsOfUserParams{UserID: userID, After: after, MaxRows: int64(limit)})
	if err != nil {
		return nil, translate(fmt.Errorf("list the wallets of a user: %w", err))
	}
	views := make([]wallet.View, len(rows))
	wallets := make([]*wallet.Wallet, len(rows))
	for i, row := range rows {
		views[i] = viewOf(row)
		wallets[i] = &views[i].Wallet
	}
	return views, fillKeys(ctx, q, wallets...)
}

func viewOf(row db.ViewsOfUserRow) wallet.View {
	return wallet.View{Wallet: walletOf(row.Wallet), Alias: row.Alias, Role: auth.WalletRole(row.Role)}
}

// FillHeldBack implements wallet.Registry.
func (s *Store) FillHeldBack(ctx context.Context, views []wallet.View) error {
	if len(views) == 0 {
		return nil
	}
	ids := make([]string, len(views))
	at := make(map[string]*wallet.Balances, len(views))
	for i := range views {
		ids[i], at[views[i].ID] = views[i].ID, &views[i].Balances
	}
	rows, err := s.reads().HeldBack(ctx, listOf(ids))
	if err != nil {
		return translate(fmt.Errorf("sum up frozen and reserved amounts: %w", err))
	}
	for _, row := range rows {
		at[row.WalletID].Frozen, at[row.WalletID].Reserved = btc.Amount(row.FrozenSat), btc.Amount(row.ReservedSat)
	}
	return nil
}

func walletOf(row db.Wallet) wallet.Wallet {
	w := wallet.Wallet{
		ID: row.WalletID, Name: row.Name, Stage: wallet.Stage(row.Stage), DeleteFiles: row.DeleteFiles, CoreName: row.CoreName,
		Script: btc.Script(row.Script), SignaturesRequired: row.SignaturesRequired,
		Receive: row.ReceiveDescriptor, Change: row.ChangeDescriptor,
		Birthday: row.BirthdayHeight, CreatedAt: row.CreatedAt.Time,
		RangeEnd: row.RangeEnd, ReceiveNext: row.ReceiveNext, ChangeNext: row.ChangeNext,
		RescanFrom: -1, RescanProgress: row.RescanProgress, RescanRange: row.RescanRange, RescanUser: row.RescanUser, RescanProblem: row.RescanProblem,
		Synced: wallet.Tip{Height: row.SyncedHeight, Hash: row.SyncedHash}, CoreTxCount: row.CoreTxcount, CoreInfo: row.CoreInfo,
		Balances: wallet.Balances{
			Trusted: row.TrustedSat, UntrustedPending: row.UntrustedPendingSat,
			Immature: row.ImmatureSat, Confirmed: row.ConfirmedSat,
		},
		Problem: row.Problem, MaxFeeRate: row.MaxFeeRate, FinalAfter: row.FinalAfter,
	}
	if row.RescanFrom != nil {
		w.RescanFrom = *row.RescanFrom
	}
	return w
}

// scanFrom returns nil, which is stored as NULL, if the height is negative.
func scanFrom(height int) *int {
	if height < 0 {
		return nil
	}
	return &height
}

// fillKeys loads the keys of wallets. It does not require a transaction, because the keys
// of a wallet never change.
func fillKeys(ctx context.Context, q *db.Queries, wallets ...*wallet.Wallet) error {
	if len(wallets) == 0 {
		return nil
	}
	byID := make(map[string]*wallet.Wallet, len(wallets))
	ids := make([]string, len(wallets))
	for i, w := range wallets {
		byID[w.ID], ids[i] = w, w.ID
	}
	rows, err := q.KeysOfWallets(ctx, listOf(ids))
	if err != nil {
		return translate(fmt.Errorf("select the keys of wallets: %w", err))
	}
	for _, row := range rows {
		w := byID[row.WalletKey.WalletID]
		w.Keys = append(w.Keys, wallet.Key{Key: keyOf(row.WalletKey), Device: row.Device, DeviceName: row.DeviceName, DeviceOwner: row.DeviceOwner})
	}
	return nil
}

func keyOf(row db.WalletKey) btc.Key {
	return btc.Key{
		Original: row.Original, Fingerprint: row.Fingerprint, Derivation: row.Derivation,
		XPub: row.Xpub, Type: btc.Script(row.Type), Purpose: row.Purpose,
	}
}

// listOf encodes a list as a parameter for queries, which read it with json_each on both
// databases.
func listOf(items []string) string {
	text, err := json.Marshal(items)
	if err != nil || items == nil { // encoding strings cannot fail; for json_each, null is not an empty list
		return "[]"
	}
	return string(text)
}
