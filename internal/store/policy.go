package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/event"
	"github.com/specterd/specterd/internal/policy"
	"github.com/specterd/specterd/internal/proposal"
	"github.com/specterd/specterd/internal/spending"
	"github.com/specterd/specterd/internal/store/db"
	"github.com/specterd/specterd/internal/store/sqltype"
)

var _ spending.Store = (*Store)(nil)

// StoredPolicy implements spending.Store.
func (s *Store) StoredPolicy(ctx context.Context, t spending.Target) (spending.Stored, error) {
	stored, err := storedPolicy(ctx, s.reads(), t)
	return stored, translate(err)
}

func storedPolicy(ctx context.Context, q *db.Queries, t spending.Target) (spending.Stored, error) {
	stored := spending.Stored{Target: t}
	if t.List != "" {
		lists, err := storedLists(ctx, q, t.WalletID)
		if i := slices.IndexFunc(lists, func(l spending.Stored) bool { return l.List == t.List }); i >= 0 {
			return lists[i], err
		}
		return stored, err
	}
	row, err := q.PolicyOf(ctx, t.Subject())
	if errors.Is(err, sql.ErrNoRows) {
		return stored, nil
	}
	if err != nil {
		return stored, fmt.Errorf("select a policy: %w", err)
	}
	stored.Document, stored.SetBy, stored.SetAt = row.Document, row.UserName, row.SetAt.Time
	return stored, nil
}

// UsersWithPolicy implements spending.Store.
func (s *Store) UsersWithPolicy(ctx context.Context, walletID string) ([]string, error) {
	rows, err := s.reads().PoliciesOfWallet(ctx, nullable(walletID))
	if err != nil {
		return nil, translate(fmt.Errorf("list the policies of a wallet: %w", err))
	}
	var ids []string
	for _, row := range rows {
		if row.UserID.Valid {
			ids = append(ids, row.UserID.String)
		}
	}
	return ids, nil
}

// StoredLists implements spending.Store.
func (s *Store) StoredLists(ctx context.Context, walletID string) ([]spending.Stored, error) {
	lists, err := storedLists(ctx, s.reads(), walletID)
	return lists, translate(err)
}

func storedLists(ctx context.Context, q *db.Queries, walletID string) ([]spending.Stored, error) {
	rows, err := q.PolicyListsOf(ctx, walletID)
	if err != nil {
		return nil, fmt.Errorf("select the lists of a wallet: %w", err)
	}
	lists := make([]spending.Stored, len(rows))
	for i, row := range rows {
		lists[i] = spending.Stored{
			Target: spending.Target{Kind: policy.Wallet, WalletID: row.WalletID, List: row.Name}, Document: row.Entries, SetBy: row.UserName, SetAt: row.SetAt.Time,
		}
	}
	return lists, nil
}

// PolicyChanges implements spending.Store.
func (s *Store) PolicyChanges(ctx context.Context, walletID string) ([]spending.Change, error) {
	var changes []spending.Change
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		changes = nil
		rows, err := changesOf(ctx, q, walletID)
		if err != nil {
			return fmt.Errorf("list the pending changes of policies: %w", err)
		}
		for _, row := range rows {
			c, err := changeOf(ctx, q, row)
			if err != nil {
				return err
			}
			e, err := s.loadEdit(ctx, q, c.Target)
			if err != nil {
				return err
			}
			e.Settle(&c, s.now())
			changes = append(changes, c)
		}
		return nil
	})
	return changes, err
}

func changesOf(ctx context.Context, q *db.Queries, walletID string) ([]db.PolicyChange, error) {
	if walletID == "" {
		return q.ServerChanges(ctx)
	}
	return q.PolicyChangesOfWallet(ctx, nullable(walletID))
}

func changeOf(ctx context.Context, q *db.Queries, row db.PolicyChange) (spending.Change, error) {
	c := spending.Change{
		Target: spending.TargetOf(row.Subject), ID: row.ChangeID, Document: row.Document,
		Maker:       proposal.Actor{UserID: row.MakerID, UserName: row.MakerName, TokenID: row.TokenID},
		RequestedAt: row.RequestedAt.Time, EffectiveAt: row.EffectiveAt.Time,
	}
	if c.Kind == policy.Member {
		members, err := membersOf(ctx, q, c.WalletID)
		if err != nil {
			return c, err
		}
		for _, m := range members {
			if m.UserID == c.UserID {
				c.User = m.UserName
			}
		}
	}
	if err := json.Unmarshal([]byte(row.Approvals), &c.Approvals); err != nil {
		return c, fmt.Errorf("read the approvals of a change: %w", err)
	}
	return c, nil
}

// loadEdit returns the state on which a change of a target depends, without a pending change.
func (s *Store) loadEdit(ctx context.Context, q *db.Queries, t spending.Target) (*spending.Edit, error) {
	e := &spending.Edit{}
	var err error
	if e.Stored, err = storedPolicy(ctx, q, t); err != nil {
		return nil, err
	}
	e.Target = t
	governing := proposal.ServerSubject
	if t.Kind != policy.Server {
		governing = proposal.WalletSubject(t.WalletID)
		if e.Lists, err = policyLists(ctx, q, t.WalletID); err != nil {
			return nil, err
		}
		if e.Approvers, err = approversOf(ctx, q, t.WalletID); err != nil {
			return nil, err
		}
	} else if e.Approvers, err = admins(ctx, q); err != nil {
		return nil, err
	}
	row, err := q.PolicyOf(ctx, governing)
	switch {
	case err == nil:
		p, err := s.policies.parsed.parse(kindOf(governing), row.Document)
		if err != nil {
			return nil, err
		}
		e.Governing = &p
	case !errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("select a policy: %w", err)
	}
	if t.List != "" {
		e.Naming, err = s.policiesNaming(ctx, q, t)
		return e, err
	}
	return e, nil
}

func kindOf(subject string) policy.Kind { return spending.TargetOf(subject).Kind }

func admins(ctx context.Context, q *db.Queries) ([]proposal.Approver, error) {
	rows, err := q.Admins(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the admins: %w", err)
	}
	all := make([]proposal.Approver, len(rows))
	for i, row := range rows {
		all[i] = proposal.Approver{UserID: row.UserID, UserName: row.Name, Admin: true}
	}
	return all, nil
}

// policiesNaming returns the policies of a wallet and its members that name a list, also pending
// ones: they were approved with the entries that the list has.
func (s *Store) policiesNaming(ctx context.Context, q *db.Queries, t spending.Target) ([]policy.Policy, error) {
	rows, err := q.PoliciesOfWallet(ctx, nullable(t.WalletID))
	if err != nil {
		return nil, fmt.Errorf("list the policies of a wallet: %w", err)
	}
	changes, err := changesOf(ctx, q, t.WalletID)
	if err != nil {
		return nil, fmt.Errorf("list the pending changes of policies: %w", err)
	}
	var naming []policy.Policy
	add := func(subject, document string) error {
		p, err := s.policies.parsed.parse(kindOf(subject), document)
		if err == nil && slices.Contains(p.ListNames(), t.List) {
			naming = append(naming, p)
		}
		return err
	}
	for _, row := range rows {
		if err := add(row.Subject, row.Document); err != nil {
			return nil, err
		}
	}
	for _, c := range changes {
		if spending.TargetOf(c.Subject).List != "" || c.Document == "" {
			continue
		}
		if err := add(c.Subject, c.Document); err != nil {
			return nil, err
		}
	}
	return naming, nil
}

// EditPolicy implements spending.Store.
func (s *Store) EditPolicy(ctx context.Context, who *auth.Principal, t spending.Target, edit func(*spending.Edit) error) error {
	err := s.withEvents(ctx, s.inTx, func(q *db.Queries, log *eventLog) error {
		if _, err := s.confirm(ctx, q, who); err != nil {
			return err
		}
		e, err := s.loadEdit(ctx, q, t)
		if err != nil {
			return err
		}
		row, err := q.PolicyChangeOf(ctx, t.Subject())
		switch {
		case err == nil:
			c, err := changeOf(ctx, q, row)
			if err != nil {
				return err
			}
			e.Pending = &c
		case !errors.Is(err, sql.ErrNoRows):
			return fmt.Errorf("select a pending change: %w", err)
		}
		if err := edit(e); err != nil {
			return err
		}
		if err := s.savePolicy(ctx, q, e); err != nil {
			return err
		}
		for _, a := range e.Events {
			log.addPolicy(e, a)
		}
		return addEventIfAny(ctx, q, e.Event)
	})
	return walletGone(err)
}

func (s *Store) savePolicy(ctx context.Context, q *db.Queries, e *spending.Edit) error {
	if e.PendingChanged {
		if err := savePending(ctx, q, e); err != nil {
			return err
		}
	}
	if !e.Changed {
		return nil
	}
	if err := saveDocument(ctx, q, e); err != nil {
		return err
	}
	err := q.TryReleases(ctx, db.TryReleasesParams{Now: sqltype.NullTime{Time: s.now()}, WalletID: e.WalletID, EveryWallet: e.Kind == policy.Server})
	if err != nil {
		return fmt.Errorf("evaluate proposals again: %w", err)
	}
	// Released proposals show a warning, which must not change without their version.
	err = q.ShowPolicyChange(ctx, db.ShowPolicyChangeParams{WalletID: e.WalletID, EveryWallet: e.Kind == policy.Server})
	if err != nil {
		return fmt.Errorf("update the versions of proposals: %w", err)
	}
	return nil
}

func savePending(ctx context.Context, q *db.Queries, e *spending.Edit) error {
	c := e.Pending
	if c == nil {
		return q.DeletePolicyChange(ctx, e.Subject())
	}
	approvals, err := json.Marshal(append([]spending.ChangeApproval{}, c.Approvals...))
	if err != nil {
		return fmt.Errorf("encode the approvals of a change: %w", err)
	}
	err = q.PutPolicyChange(ctx, db.PutPolicyChangeParams{
		Subject: e.Subject(), ChangeID: c.ID, WalletID: nullable(e.WalletID), UserID: nullable(e.UserID), Document: c.Document, Approvals: string(approvals),
		MakerID: c.Maker.UserID, MakerName: c.Maker.UserName, TokenID: c.Maker.TokenID,
		RequestedAt: sqltype.Time{Time: c.RequestedAt}, EffectiveAt: sqltype.Time{Time: c.EffectiveAt},
	})
	if err != nil {
		return fmt.Errorf("save a pending change: %w", err)
	}
	return nil
}

func saveDocument(ctx context.Context, q *db.Queries, e *spending.Edit) (err error) {
	at := sqltype.Time{Time: e.SetAt}
	switch {
	case e.List != "" && e.Document == "":
		err = q.DeletePolicyList(ctx, db.DeletePolicyListParams{WalletID: e.WalletID, Name: e.List})
	case e.List != "":
		err = q.PutPolicyList(ctx, db.PutPolicyListParams{WalletID: e.WalletID, Name: e.List, Entries: e.Document, UserName: e.SetBy, SetAt: at})
	case e.Document == "":
		err = q.DeletePolicy(ctx, e.Subject())
	default:
		err = q.PutPolicy(ctx, db.PutPolicyParams{
			Subject: e.Subject(), WalletID: nullable(e.WalletID), UserID: nullable(e.UserID), Document: e.Document, UserName: e.SetBy, SetAt: at,
		})
	}
	if err != nil {
		return fmt.Errorf("save a policy: %w", err)
	}
	return nil
}

var policyKinds = map[string]event.Kind{
	"changed": event.PolicyChanged, "change_requested": event.PolicyChangeRequested,
	"change_approved": event.PolicyChangeApproved, "change_cancelled": event.PolicyChangeCancelled,
}

// addPolicy adds an event about a policy: of the wallet or, for the server, of each admin.
func (l *eventLog) addPolicy(e *spending.Edit, a spending.Announcement) {
	d := event.PolicyData{Layer: string(e.Kind), User: e.User, List: e.List, Loosens: a.Loosens}
	if a.Change != nil && a.Kind != "changed" || a.Loosens {
		at := a.Change.EffectiveAt.UTC()
		d.ChangeID, d.EffectiveAt = a.Change.ID, &at
	}
	by, kind := event.ActorOf(a.By), policyKinds[a.Kind]
	if e.Kind != policy.Server {
		l.add(e.WalletID, kind, e.Subject(), by, d)
		return
	}
	for _, admin := range e.Approvers {
		l.addForUser(admin.UserID, kind, e.Subject(), by, d)
	}
}

// NextPolicyChange implements spending.Store.
func (s *Store) NextPolicyChange(ctx context.Context, after time.Time) (time.Time, error) {
	if after.IsZero() {
		after = time.UnixMicro(0)
	}
	next, err := s.reads().NextPolicyChange(ctx, sqltype.Time{Time: after})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return next.Time, translate(err)
}

// DuePolicyChanges implements spending.Store.
func (s *Store) DuePolicyChanges(ctx context.Context, now time.Time) ([]spending.Change, error) {
	var changes []spending.Change
	err := s.inReadTx(ctx, func(q *db.Queries) error {
		changes = nil
		rows, err := q.DuePolicyChanges(ctx, sqltype.Time{Time: now})
		if err != nil {
			return fmt.Errorf("list the changes that are due: %w", err)
		}
		for _, row := range rows {
			c, err := changeOf(ctx, q, row)
			if err != nil {
				return err
			}
			changes = append(changes, c)
		}
		return nil
	})
	return changes, err
}

// SpentSince implements spending.Store.
func (s *Store) SpentSince(ctx context.Context, subject string, after time.Time) (map[string]policy.Spent, error) {
	spent, err := usage{rules: rules{ctx: ctx, s: s, q: s.reads()}}.Spent(subject, after)
	return spent, translate(err)
}

// TokenPolicies implements spending.Store.
func (s *Store) TokenPolicies(ctx context.Context, tokenID string) ([]string, error) {
	rows, err := s.reads().TokenPolicies(ctx, tokenID)
	if err != nil {
		return nil, translate(fmt.Errorf("select the policies of a token: %w", err))
	}
	var documents []string
	for _, row := range rows {
		if row.Policy != "" {
			documents = append(documents, row.Policy)
		}
	}
	return documents, nil
}
