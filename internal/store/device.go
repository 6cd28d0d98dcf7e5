package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
	"github.com/specterd/specterd/internal/wallet"
)

// otherDevice is the type of a device of which only keys are known.
const otherDevice = "other"

// addKeys adds the keys of a wallet. Each key is assigned to the owner's device that
// already has a key with the same fingerprint, or to a new device.
func addKeys(ctx context.Context, q *db.Queries, w wallet.Wallet, ownerID string) error {
	for i, key := range w.Keys {
		device, err := deviceFor(ctx, q, w, ownerID, key)
		if err != nil {
			return err
		}
		if err := addDeviceKey(ctx, q, device, key.Key); err != nil {
			return err
		}
		err = q.AddWalletKey(ctx, db.AddWalletKeyParams{
			WalletID: w.ID, Position: i, Fingerprint: key.Fingerprint, Derivation: key.Derivation,
			Xpub: key.XPub, Original: key.Original, Type: string(key.Type), Purpose: key.Purpose,
			DeviceID: nullable(device),
		})
		if err != nil {
			return fmt.Errorf("insert a key: %w", err)
		}
	}
	return nil
}

// deviceFor returns the id of the owner's device that has a key of the same fingerprint. It
// creates the device if it does not exist.
func deviceFor(ctx context.Context, q *db.Queries, w wallet.Wallet, ownerID string, key wallet.Key) (string, error) {
	found, err := q.DeviceWithFingerprint(ctx, db.DeviceWithFingerprintParams{UserID: ownerID, Fingerprint: key.Fingerprint})
	if err == nil || !errors.Is(err, sql.ErrNoRows) {
		return found.DeviceID, err
	}
	name := cmp.Or(key.DeviceName, key.Fingerprint)
	alias, err := freeDeviceAlias(ctx, q, ownerID, cmp.Or(btc.Alias(name), key.Fingerprint), "")
	if err != nil {
		return "", err
	}
	id := uuid.NewString()
	err = q.AddDevice(ctx, db.AddDeviceParams{
		DeviceID: id, UserID: ownerID, Alias: alias, Name: name, Type: otherDevice,
		CreatedAt: sqltype.Time{Time: w.CreatedAt},
	})
	if err != nil {
		return "", fmt.Errorf("insert a device: %w", err)
	}
	return id, nil
}

// freeDeviceAlias returns an alias that none of the user's devices has, except the one with the
// alias own: the requested alias or, as in Specter Desktop, that alias with a number appended.
func freeDeviceAlias(ctx context.Context, q *db.Queries, userID, wanted, own string) (string, error) {
	alias := wanted
	for n := 2; ; n++ {
		taken, err := q.DeviceAliasIsTaken(ctx, db.DeviceAliasIsTakenParams{UserID: userID, Alias: alias})
		if err != nil {
			return "", fmt.Errorf("look up a device: %w", err)
		}
		if !taken || alias == own {
			return alias, nil
		}
		alias = fmt.Sprintf("%s_%d", wanted, n)
	}
}

func addDeviceKey(ctx context.Context, q *db.Queries, deviceID string, key btc.Key) error {
	err := q.AddDeviceKey(ctx, db.AddDeviceKeyParams{
		DeviceID: deviceID, Fingerprint: key.Fingerprint, Derivation: key.Derivation,
		Xpub: key.XPub, Original: key.Original, Type: string(key.Type), Purpose: key.Purpose,
	})
	if err != nil {
		return fmt.Errorf("insert a device's key: %w", err)
	}
	return nil
}

// DeviceName implements wallet.Registry.
func (s *Store) DeviceName(ctx context.Context, userID, fingerprint string) (string, error) {
	row, err := s.reads().DeviceWithFingerprint(ctx, db.DeviceWithFingerprintParams{UserID: userID, Fingerprint: fingerprint})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", translate(fmt.Errorf("look up a device by fingerprint: %w", err))
	}
	return row.Name, nil
}

// DevicesOfUser implements wallet.Registry.
func (s *Store) DevicesOfUser(ctx context.Context, userID string) ([]wallet.Device, error) {
	rows, err := s.reads().DevicesOfUser(ctx, userID)
	if err != nil {
		return nil, translate(fmt.Errorf("list the user's devices: %w", err))
	}
	devices := make([]wallet.Device, len(rows))
	for i, row := range rows {
		devices[i] = wallet.Device(row)
	}
	return devices, nil
}

// RenameDevice implements wallet.Registry.
func (s *Store) RenameDevice(ctx context.Context, who *auth.Principal, alias, newAlias, name string, e auth.Event) (d wallet.Device, err error) {
	err = s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		row, err := q.DeviceByAlias(ctx, db.DeviceByAliasParams{UserID: who.UserID, Alias: alias})
		if errors.Is(err, sql.ErrNoRows) {
			return wallet.ErrDeviceNotFound
		}
		if err != nil {
			return fmt.Errorf("look up a device: %w", err)
		}
		d = wallet.Device{Alias: row.Alias, Name: row.Name, Type: row.Type}
		if row.Name == name {
			return nil
		}
		d.Name = name
		if d.Alias, err = freeDeviceAlias(ctx, q, who.UserID, newAlias, alias); err != nil {
			return err
		}
		if err := q.RenameDevice(ctx, db.RenameDeviceParams{Alias: d.Alias, Name: name, DeviceID: row.DeviceID}); err != nil {
			return fmt.Errorf("rename a device: %w", err)
		}
		e.Target = row.DeviceID
		if err := log.addDeviceRenamed(ctx, q, row, d, event.ActorOf(e)); err != nil {
			return err
		}
		return addEvent(ctx, q, e)
	})
	return d, err
}

// addDeviceRenamed adds an event of each wallet with a key of the device, since all members see
// its name.
func (l *eventLog) addDeviceRenamed(ctx context.Context, q *db.Queries, was db.Device, d wallet.Device, by event.Actor) error {
	ids, err := q.WalletsWithDevice(ctx, nullable(was.DeviceID))
	for _, id := range ids {
		l.add(id, event.DeviceRenamed, was.DeviceID, by, event.DeviceData{
			Before: event.DeviceState{Device: was.Alias, Name: was.Name}, After: event.DeviceState{Device: d.Alias, Name: d.Name},
		})
	}
	if err != nil {
		return fmt.Errorf("list the wallets with a device: %w", err)
	}
	return nil
}
