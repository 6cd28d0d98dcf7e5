package wallet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/fault"
)

// Finish completes the interrupted creation or removal of a wallet, and does
// nothing for other wallets. It is idempotent and safe to call while another
// goroutine or process does the same. A wallet that cannot be created is removed:
// its existence was never reported to a user. After an Unavailable fault or the end
// of the context, a later call may succeed.
func (s *Service) Finish(ctx context.Context, w Wallet) error {
	switch w.Stage {
	case Creating:
		refused, err := s.provide(ctx, w, nil)
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

// isTemporary reports whether the node may accept the same call later.
func isTemporary(err error) bool {
	kind := fault.KindOf(err)
	return kind == fault.Unavailable || kind == fault.BadGateway
}

// provide makes Bitcoin Core watch a new wallet, and marks the wallet ready. Creator is nil
// if specterd continues a creation that was interrupted. Refused reports whether err is from the node; it is false for ErrNodeScanning, a canceled
// context and an error of the database.
func (s *Service) provide(ctx context.Context, w Wallet, creator *auth.Principal) (refused bool, err error) {
	created, err := s.node.Provide(ctx, w.NodeWallet(), w.Receive, w.Change, w.RangeEnd)
	if err != nil {
		return ctx.Err() == nil && !errors.Is(err, ErrNodeScanning), fmt.Errorf("provide the Bitcoin Core wallet of %s: %w", w.ID, err)
	}
	tip, _ := s.node.Chain(w.NodeWallet())
	_, err = s.store.EditWallet(ctx, w.ID, func(e *Edit) error {
		if e.Stage != Creating {
			return nil // finished concurrently
		}
		e.Stage, e.Caller = Ready, creator
		if created && e.RescanFrom < 0 && e.Birthday < tip { // blocks arrived since the creation began
			e.RescanFrom = e.Birthday
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("mark wallet %s ready: %w", w.ID, err)
	}
	s.kick(w.ID)
	return false, nil
}

// abandon removes a wallet that cannot be created because of cause. The indexer
// retries if this fails.
func (s *Service) abandon(ctx context.Context, w Wallet, cause error) {
	level := slog.LevelError
	if isTemporary(cause) {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "wallet creation failed; removing the wallet", "wallet_id", w.ID, "error", cause)
	err := s.retire(ctx, w.ID, func(e *Edit) error {
		if e.Stage != Creating {
			return errNotCreating
		}
		e.Event = program.Event(s.now(), "wallet.delete", w.ID, "could not be created")
		return nil
	})
	if errors.Is(err, errNotCreating) {
		return
	}
	if err == nil {
		err = s.remove(ctx, w)
	}
	if err != nil {
		s.log.WarnContext(ctx, "removal of an uncreated wallet failed; will retry", "wallet_id", w.ID, "error", err)
	}
}

var errNotCreating = errors.New("the wallet is not being created")

// program is the actor of changes that no user requested.
var program = auth.Program("specterd")

// retire marks a wallet for removal. Its members can no longer see it, and their aliases
// for it are free again.
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
		return nil // removed by the indexer in the meantime
	}
	return err
}

// remove unloads the Bitcoin Core wallet, deletes its files if that was requested,
// and then deletes the database row. The row records the pending steps, so it is
// deleted last, and all steps can be repeated. An adopted wallet stays in Bitcoin
// Core, loaded or not, for the software that used it before.
func (s *Service) remove(ctx context.Context, w Wallet) error {
	done, err := s.LockSelection(ctx, w.ID) // so that no lock is added after the existing ones are removed
	if err != nil {
		return err
	}
	defer done()
	var did auth.Event
	if w.DeleteFiles {
		if err := s.removeFiles(ctx, w); err != nil {
			return fmt.Errorf("delete the files of the Bitcoin Core wallet of %s: %w", w.ID, err)
		}
		did = program.Event(s.now(), "wallet.files_delete", w.ID, "")
	} else if err := s.release(ctx, w); err != nil {
		return err
	}
	err = s.store.DeleteWallet(ctx, w.ID, did)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// release unlocks the frozen and reserved UTXOs in the Bitcoin Core wallet, since
// nothing would unlock them later, and unloads it unless it was adopted. It leaves
// locks of other software.
func (s *Service) release(ctx context.Context, w Wallet) error {
	held, err := s.store.HeldUTXOs(ctx, w.ID)
	if err != nil {
		return err
	}
	if len(held) > 0 {
		if err := s.node.UnlockAll(ctx, w.NodeWallet(), held); err != nil {
			return fmt.Errorf("unlock the UTXOs of wallet %s: %w", w.ID, err)
		}
	}
	if w.Adopted() {
		return nil
	}
	if err := s.node.Unload(ctx, w.NodeWallet()); err != nil {
		return fmt.Errorf("unload the Bitcoin Core wallet of %s: %w", w.ID, err)
	}
	return nil
}

// removeFiles deletes the files of the Bitcoin Core wallet, or returns ErrForeignFiles if
// the wallet was adopted.
func (s *Service) removeFiles(ctx context.Context, w Wallet) error {
	if w.Adopted() {
		return ErrForeignFiles
	}
	return s.node.RemoveFiles(ctx, w.NodeWallet())
}
