package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/wallet"
	"github.com/specterd/specterd/internal/webhook"
)

// proposalKinds are the kinds of events for changes to a status.
var proposalKinds = map[proposal.Status]event.Kind{
	proposal.Complete: event.ProposalComplete, proposal.Broadcast: event.ProposalBroadcast, proposal.Confirmed: event.ProposalConfirmed,
	proposal.Cancelled: event.ProposalCancelled, proposal.Expired: event.ProposalExpired,
	proposal.Replaced: event.ProposalReplaced, proposal.Conflicted: event.ProposalConflicted, proposal.Rejected: event.ProposalRejected,
	proposal.AwaitingApproval: event.ProposalHeld,
}

// addProposal adds the events of a proposal that was inserted, if was is nil, or changed.
func (l *eventLog) addProposal(was *proposal.Proposal, p proposal.Proposal) {
	d := event.ProposalData{
		ProposalID: p.ID, Version: p.Version, Txid: p.Txid, FinalTxid: p.FinalTxid, ReplacedBy: p.ReplacedBy,
		Fee: p.Fee, After: event.ProposalState{Status: string(p.Status)},
	}
	for _, out := range p.Outputs {
		if out.Kind != proposal.Change {
			d.Amount += out.Amount
		}
	}
	add := func(kind event.Kind, by proposal.Actor) {
		l.add(p.WalletID, kind, p.ID, event.Actor{UserID: by.UserID, UserName: by.UserName, TokenID: by.TokenID}, d)
		d.Before = &d.After
	}
	if was == nil {
		add(event.ProposalCreated, p.Creator)
		return
	}
	d.Version++ // as in the database
	d.Before = &event.ProposalState{Status: string(was.Status)}
	var by proposal.Actor
	if len(p.Steps) > len(was.Steps) {
		by = p.Steps[len(p.Steps)-1].By
	}
	if added := p.Signatures[len(was.Signatures):]; len(added) > 0 {
		add(event.ProposalSigned, added[0].By)
	}
	for _, a := range p.Approvals[len(was.Approvals):] {
		if !a.Rejects {
			add(event.ProposalApproved, a.By)
		}
	}
	switch {
	case p.Status == was.Status:
	case was.Status == proposal.AwaitingApproval && p.Status.Open():
		add(event.ProposalReleased, by)
	case p.Status.Open() && !was.Status.Open():
		add(event.ProposalReopened, by)
	case proposalKinds[p.Status] != "":
		add(proposalKinds[p.Status], by)
	}
}

// addWalletEvents adds the events of a change by EditWallet.
func (l *eventLog) addWalletEvents(ctx context.Context, q *db.Queries, was wallet.Wallet, e wallet.Edit) error {
	by := event.ActorOf(e.Event)
	if e.Caller != nil {
		by = event.ActorOf(e.Caller.Event(l.now, "", "", ""))
	}
	switch {
	case was.Stage == wallet.Ready && e.Stage == wallet.Removing:
		return l.addRemoved(ctx, q, e.Wallet, by)
	case e.Stage != wallet.Ready:
		return nil
	case was.Stage == wallet.Creating:
		l.add(e.ID, event.WalletCreated, e.ID, by, event.WalletData{Name: e.Name})
		was.RescanFrom = -1
	case was.Name != e.Name:
		l.add(e.ID, event.WalletRenamed, e.ID, by, event.RenameData{Before: event.WalletData{Name: was.Name}, After: event.WalletData{Name: e.Name}})
	}
	if err := l.addRevealed(ctx, q, was, e.Wallet, by); err != nil {
		return err
	}
	return l.addRescan(ctx, q, was, e, by)
}

// addRemoved adds an event of each member of a wallet that they will not see any more.
func (l *eventLog) addRemoved(ctx context.Context, q *db.Queries, w wallet.Wallet, by event.Actor) error {
	members, err := membersOf(ctx, q, w.ID)
	for _, m := range members {
		l.addForUser(m.UserID, event.WalletRemoved, w.ID, by, event.WalletData{WalletID: w.ID, Name: w.Name})
	}
	return err
}

func (l *eventLog) addRevealed(ctx context.Context, q *db.Queries, was, w wallet.Wallet, by event.Actor) error {
	for _, r := range []struct {
		branch      wallet.Branch
		first, next uint32
	}{
		{wallet.ReceiveBranch, was.ReceiveNext, w.ReceiveNext},
		{wallet.ChangeBranch, was.ChangeNext, w.ChangeNext},
	} {
		if r.next <= r.first {
			continue
		}
		rows, err := q.AddressesInRange(ctx, db.AddressesInRangeParams{
			WalletID: w.ID, Branch: uint8(r.branch), FirstIndex: r.first, EndIndex: r.next,
		})
		if err != nil {
			return fmt.Errorf("list revealed addresses: %w", err)
		}
		for _, row := range rows {
			l.add(w.ID, event.AddressRevealed, row.Address, by, event.AddressData{
				Address: row.Address, Branch: r.branch.Name(), Index: row.AddressIndex,
			})
		}
	}
	return nil
}

func (l *eventLog) addRescan(ctx context.Context, q *db.Queries, was wallet.Wallet, e wallet.Edit, by event.Actor) error {
	d := event.RescanData{FromHeight: e.RescanFrom, Problem: e.RescanProblem}
	switch {
	case e.RescanFrom == was.RescanFrom:
		return nil
	case e.Rescanning():
		l.add(e.ID, event.RescanStarted, e.ID, by, d)
		return nil
	case d.Problem != "":
		d.FromHeight = was.RescanFrom
		l.add(e.ID, event.RescanFailed, e.ID, by, d)
	case e.Aborted:
		d.FromHeight = was.RescanFrom
		l.add(e.ID, event.RescanAborted, e.ID, by, d)
	default:
		d.FromHeight = was.RescanFrom
		l.add(e.ID, event.RescanFinished, e.ID, by, d)
	}
	return l.addSyncedAfterRescan(ctx, q, e.Wallet)
}

// addSyncedAfterRescan adds the event WalletSynced if it was due during the rescan.
func (l *eventLog) addSyncedAfterRescan(ctx context.Context, q *db.Queries, w wallet.Wallet) error {
	imported, err := q.ImportedOf(ctx, w.ID)
	if err != nil {
		return fmt.Errorf("look up the number of imported transactions: %w", err)
	}
	if imported == nil || w.Synced.Height < 0 {
		return nil
	}
	if err := q.SetImported(ctx, db.SetImportedParams{WalletID: w.ID}); err != nil {
		return fmt.Errorf("count imported transactions: %w", err)
	}
	d := event.SyncData{Height: w.Synced.Height, Hash: w.Synced.Hash, Imported: *imported}
	return logSynced(ctx, q, l, w.ID, d, w.FinalAfter)
}

// addMemberEvents adds the events of a change of the members of a wallet, after they were
// saved. A wallet that is being created or removed has no such events.
func (l *eventLog) addMemberEvents(ctx context.Context, q *db.Queries, walletID string, before []wallet.Member, by event.Actor) error {
	ready, err := q.WalletIsReady(ctx, walletID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !ready {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up a wallet: %w", err)
	}
	after, err := membersOf(ctx, q, walletID)
	if err != nil {
		return err
	}
	find := func(all []wallet.Member, userID string) *wallet.Member {
		if i := slices.IndexFunc(all, func(m wallet.Member) bool { return m.UserID == userID }); i >= 0 {
			return &all[i]
		}
		return nil
	}
	for _, m := range before {
		if find(after, m.UserID) == nil {
			l.addMemberRemoved(walletID, m, by)
		}
	}
	for _, m := range after {
		d := event.MemberData{User: m.UserName, After: &event.MemberState{Role: string(m.Role)}}
		switch was := find(before, m.UserID); {
		case was == nil:
			l.add(walletID, event.MemberAdded, m.UserName, by, d)
		case was.Role != m.Role:
			d.Before = &event.MemberState{Role: string(was.Role)}
			l.add(walletID, event.MemberChanged, m.UserName, by, d)
		}
	}
	return nil
}

func (l *eventLog) addMemberRemoved(walletID string, m wallet.Member, by event.Actor) {
	d := event.MemberData{User: m.UserName, Before: &event.MemberState{Role: string(m.Role)}}
	l.add(walletID, event.MemberRemoved, m.UserName, by, d)
	d.WalletID = walletID
	l.addForUser(m.UserID, event.MemberRemoved, walletID, by, d)
}

// addUserDeleted adds the events of the wallets of a user who is about to be deleted.
// Those in sole have no other owner and are removed with the user.
func (l *eventLog) addUserDeleted(ctx context.Context, q *db.Queries, u auth.User, sole []string, by event.Actor) error {
	rows, err := q.WalletsOfUser(ctx, u.ID)
	if err != nil {
		return fmt.Errorf("list the wallets of a user: %w", err)
	}
	for _, row := range rows {
		if !slices.Contains(sole, row.WalletID) {
			l.add(row.WalletID, event.MemberRemoved, u.Name, by, event.MemberData{User: u.Name, Before: &event.MemberState{Role: row.Role}})
			continue
		}
		members, err := membersOf(ctx, q, row.WalletID)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.UserID != u.ID {
				l.addForUser(m.UserID, event.WalletRemoved, row.WalletID, by, event.WalletData{WalletID: row.WalletID, Name: row.Name})
			}
		}
	}
	return nil
}

func (l *eventLog) addFrozen(walletID string, at btc.Outpoint, frozen bool, by event.Actor) {
	kind := event.UTXOUnfrozen
	if frozen {
		kind = event.UTXOFrozen
	}
	l.add(walletID, kind, at.String(), by, event.UTXOData{Txid: at.Txid, Vout: at.Vout})
}

// addToken adds the event of a new token.
func (l *eventLog) addToken(t auth.Token, by event.Actor) {
	kind := event.TokenCreated
	if t.RotatedFrom != "" {
		kind = event.TokenRotated
	}
	l.addForUser(t.UserID, kind, t.ID, by, event.TokenData{TokenID: t.ID, Description: t.Description, RotatedFrom: t.RotatedFrom})
}

// revokedAtATime is the maximum number of tokens of one event.
const revokedAtATime = 100

// addRevoked adds the events of tokens of a user that are deleted together: one for many
// tokens, so that a mass revocation writes little.
func (l *eventLog) addRevoked(userID string, by event.Actor, tokens []auth.TokenName) {
	for some := range slices.Chunk(tokens, revokedAtATime) {
		var d event.RevokedData
		for _, t := range some {
			d.Tokens = append(d.Tokens, event.TokenName{TokenID: t.ID, Description: t.Description})
		}
		l.addForUser(userID, event.TokenRevoked, some[0].ID, by, d)
	}
}

// addAllRevoked adds the events of all tokens of a user, which are about to be deleted.
func (l *eventLog) addAllRevoked(ctx context.Context, q *db.Queries, userID string, by event.Actor) error {
	rows, err := q.TokenNamesOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("list the tokens of a user: %w", err)
	}
	tokens := make([]auth.TokenName, len(rows))
	for i, row := range rows {
		tokens[i] = auth.TokenName{ID: row.TokenID, Description: row.Description}
	}
	l.addRevoked(userID, by, tokens)
	return nil
}

// addKeyRevoked adds the events of all tokens that are about to be deleted with those of a
// signing key.
func (l *eventLog) addKeyRevoked(ctx context.Context, q *db.Queries, fingerprint string, by event.Actor) error {
	rows, err := q.TokensEndingWithKey(ctx, nullable(fingerprint))
	if err != nil {
		return fmt.Errorf("list the tokens of a key: %w", err)
	}
	var tokens []auth.TokenName
	for i, row := range rows {
		tokens = append(tokens, auth.TokenName{ID: row.TokenID, Description: row.Description})
		if i+1 == len(rows) || rows[i+1].UserID != row.UserID {
			l.addRevoked(row.UserID, by, tokens)
			tokens = nil
		}
	}
	return nil
}

// addWebhook adds the event of a webhook that was disabled or enabled.
func (l *eventLog) addWebhook(was, w webhook.Webhook, by event.Actor) {
	d := event.WebhookData{WebhookID: w.ID, Description: w.Description, Reason: string(w.Reason)}
	switch {
	case was.Active() && !w.Active():
		l.addForUser(w.UserID, event.WebhookDisabled, w.ID, by, d)
	case !was.Active() && w.Active():
		l.addForUser(w.UserID, event.WebhookRecovered, w.ID, by, d)
	}
}
