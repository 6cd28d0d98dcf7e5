package wallet

import (
	"context"

	"github.com/specterd/specterd/internal/auth"
)

// Rename changes a wallet's name for all members, which requires the role owner,
// and the caller's own alias for it. Nil leaves a value unchanged. A new name does
// not change the aliases. If the caller has another wallet with the new alias, it
// returns ErrAliasTaken and changes nothing.
func (s *Service) Rename(ctx context.Context, access Access, name, newAlias *string) (View, error) {
	needed := auth.RoleViewer
	if name != nil {
		needed = auth.RoleOwner
		if err := checkName(*name); err != nil {
			return View{}, err
		}
	}
	if newAlias != nil {
		if err := checkAlias(*newAlias); err != nil {
			return View{}, err
		}
	}
	v, err := s.View(ctx, access, needed)
	if err != nil {
		return View{}, err
	}
	if newAlias != nil && *newAlias != v.Alias {
		if err := s.setAlias(ctx, access, *newAlias); err != nil {
			return View{}, err
		}
	}
	if name != nil && *name != v.Name {
		_, err = s.edit(ctx, v.ID, func(e *Edit) error {
			e.Event = access.Caller().Event(s.now(), "wallet.rename", v.ID, "")
			e.Name = *name
			return nil
		})
		if err != nil {
			return View{}, err
		}
	}
	return s.Get(ctx, access)
}

func (s *Service) setAlias(ctx context.Context, access Access, alias string) error {
	who := access.Caller()
	return s.editMembers(ctx, access, func(e *MemberEdit, _ auth.WalletRole) error {
		e.Members[e.member(who.UserID)].Alias = alias
		e.Event = who.Event(s.now(), "wallet.alias", access.WalletID(), "")
		return nil
	})
}

// Delete removes a wallet for all its members: from the database, and from Bitcoin
// Core's loaded wallets unless it was adopted. It requires the role owner. Bitcoin
// Core's files are kept unless deleteFiles is set. The wallet is gone when Delete
// returns; Bitcoin Core may keep it loaded, and its files may remain, for a short
// time. If the files cannot be deleted, nothing is changed, and Delete returns
// ErrForeignFiles or the error of Files.CheckFiles.
func (s *Service) Delete(ctx context.Context, access Access, deleteFiles bool) error {
	v, err := s.View(ctx, access, auth.RoleOwner)
	if err != nil {
		return err
	}
	fate := "files kept"
	if v.Adopted() {
		fate = "kept unchanged in Bitcoin Core"
	}
	if deleteFiles {
		fate = "files to be deleted"
		if err := s.checkFiles(v.Wallet); err != nil {
			return err
		}
	}
	err = s.retire(ctx, v.ID, func(e *Edit) error {
		if e.Stage != Ready {
			return ErrNotFound
		}
		e.DeleteFiles = deleteFiles
		e.Event = access.Caller().Event(s.now(), "wallet.delete", v.ID, fate)
		return nil
	})
	if err != nil {
		return err
	}
	s.kick(v.ID)
	return nil
}

func (s *Service) checkFiles(w Wallet) error {
	if w.Adopted() {
		return ErrForeignFiles
	}
	return s.node.CheckFiles(w.NodeWallet())
}
