package wallet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// Finish takes a wallet that was left in the middle of being made or removed to
// the end of that, and leaves others alone. It may be called again at any time,
// also while somebody else is at it. A wallet that cannot be made is removed:
// nobody was told that it exists. With an Unavailable fault, and with a context
// that ended, it is worth another try later.
func (s *Service) Finish(ctx context.Context, w Wallet) error {
	switch w.Stage {
	case Creating:
		refused, err := s.provide(ctx, w)
		if !refused || isTemporary(err) {
			return err
		}
		s.abandon(ctx, w, err)
	case Removing:
		return s.remove(ctx, w)
	case Ready:
	}
	return nil
}

// isTemporary reports whether the node may do later what it did not do now.
func isTemporary(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.BadGateway
}

// provide has Core watch a new wallet, and makes it ready. Refused reports whether
// the error is the node's, and not that of the database, of a caller who is gone,
// or of somebody else being at it.
func (s *Service) provide(ctx context.Context, w Wallet) (refused bool, err error) {
	created, err := s.node.Provide(ctx, w.CoreName, w.Receive, w.Change, w.RangeEnd)
	if err != nil {
		return ctx.Err() == nil && !errors.Is(err, ErrNodeScanning), fmt.Errorf("provide Core's wallet of %s: %w", w.ID, err)
	}
	_, tip, _ := s.node.Chain()
	_, err = s.store.EditWallet(ctx, w.ID, func(e *Edit) error {
		if e.Stage != Creating {
			return nil // somebody else was faster
		}
		e.Stage = Ready
		if created && e.ScanFrom < 0 && e.Birth < tip { // blocks came since it was begun
			e.ScanFrom = e.Birth
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("make wallet %s ready: %w", w.ID, err)
	}
	s.kick(w.ID)
	return false, nil
}

// abandon removes a wallet that cannot be made because of cause. What does not
// succeed here, the follower does later.
func (s *Service) abandon(ctx context.Context, w Wallet, cause error) {
	level := slog.LevelError
	if isTemporary(cause) {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "a wallet could not be made and is removed again", "wallet", w.ID, "error", cause)
	err := s.retire(ctx, w.ID, func(e *Edit) error {
		if e.Stage != Creating {
			return errNotCreating
		}
		e.Event = program.Event(s.now(), "wallet.delete", w.ID, "could not be made")
		return nil
	})
	if errors.Is(err, errNotCreating) {
		return
	}
	if err == nil {
		err = s.remove(ctx, w)
	}
	if err != nil {
		s.log.WarnContext(ctx, "a wallet that could not be made is still to be removed", "wallet", w.ID, "error", err)
	}
}

var errNotCreating = errors.New("the wallet is not being made")

// program is who does what nobody asked for.
var program = auth.Program("specterd")

// retire has a wallet removed: from this moment on it is gone for its members,
// whose aliases for it are free again.
func (s *Service) retire(ctx context.Context, id string, check func(*Edit) error) error {
	_, err := s.store.EditWallet(ctx, id, func(e *Edit) error {
		if err := check(e); err != nil {
			return err
		}
		e.Stage = Removing
		return nil
	})
	if err != nil {
		return err
	}
	err = s.store.EditMembers(ctx, program, id, func(e *MemberEdit) error {
		e.Members = nil
		return nil
	})
	if errors.Is(err, ErrNotFound) {
		return nil // the follower has removed it by now
	}
	return err
}

// remove has Core forget a wallet, deletes its files if that was asked for, and
// then has the database forget it. What is to be done is lost with the row, so the
// row is last, and all of it may be done again. One that was adopted is left to Core,
// loaded or not, for those who had it before.
func (s *Service) remove(ctx context.Context, w Wallet) error {
	done, err := s.TakeCoins(ctx, w.ID) // so that no lock comes after those that are taken away
	if err != nil {
		return err
	}
	defer done()
	var did auth.Event
	if w.DeleteFiles {
		if err := s.removeFiles(ctx, w); err != nil {
			return fmt.Errorf("delete the files of Core's wallet of %s: %w", w.ID, err)
		}
		did = program.Event(s.now(), "wallet.files_delete", w.ID, "")
	} else if err := s.letGo(ctx, w); err != nil {
		return err
	}
	err = s.store.DeleteWallet(ctx, w.ID, did)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// letGo unlocks in Core's wallet what is frozen and reserved here, since nobody would
// do that later, and has Core unload it unless it was adopted. Locks of others stay.
func (s *Service) letGo(ctx context.Context, w Wallet) error {
	held, err := s.store.HeldCoins(ctx, w.ID)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		if err := s.node.UnlockAll(ctx, w.CoreName, held); err != nil {
			return fmt.Errorf("unlock the coins of wallet %s: %w", w.ID, err)
		}
	}
	if w.Adopted() {
		return nil
	}
	if err := s.node.Unload(ctx, w.CoreName); err != nil {
		return fmt.Errorf("unload Core's wallet of %s: %w", w.ID, err)
	}
	return nil
}

// removeFiles deletes the files of Core's wallet, if they are ours.
func (s *Service) removeFiles(ctx context.Context, w Wallet) error {
	if w.Adopted() {
		return ErrForeignFiles
	}
	return s.node.RemoveFiles(ctx, w.CoreName)
}
