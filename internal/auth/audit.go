package auth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is an entry for the audit log: actor, action, target, time and outcome. It
// never contains a password, a token or a key, nor data that is private to the
// members of a wallet, since all admins can read it.
type Event struct {
	At       time.Time
	UserID   string
	UserName string
	TokenID  string
	Address  string
	Action   string // such as "token.create"
	Target   string // the object: a user's name, a token's id
	Outcome  string // "ok" or "refused"
	Detail   string
}

// The values of Event.Outcome.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused"
)

// Event returns an event for an action that p performed successfully at time now. Its
// detail ends with the session, if p used one.
func (p *Principal) Event(now time.Time, action, target, detail string) Event {
	if p.SessionID != "" {
		detail = strings.TrimPrefix(detail+"; session "+p.SessionID, "; ")
	}
	return Event{
		At: now, UserID: p.UserID, UserName: cmp.Or(p.operator, p.UserName), TokenID: p.TokenID, Address: p.Address,
		Action: action, Target: target, Outcome: outcomeOK, Detail: detail,
	}
}

// SharedDetail returns the part of e.Detail that is shown to admins who are not
// members of the wallet. Current events contain no names, labels, addresses,
// outpoints, transactions or amounts of wallets. Events from older versions may
// contain them, and cannot be changed, because they are sealed.
func (e Event) SharedDetail() string {
	switch e.Action {
	case "wallet.create", "wallet.rename", "wallet.alias", "wallet.files_delete", "utxo.freeze", "utxo.unfreeze",
		"coin.freeze", "coin.unfreeze": // their former names
		return ""
	case "wallet.delete":
		if name, err := strconv.QuotedPrefix(e.Detail); err == nil {
			return strings.TrimPrefix(e.Detail[len(name):], ", ")
		}
	case "proposal.create", "proposal.import", "proposal.sign", "proposal.broadcast", "proposal.abandon",
		"psbt.create", "psbt.import", "psbt.sign", "psbt.broadcast", "psbt.abandon": // before schema 21
		wallet, _, _ := strings.Cut(e.Detail, ";")
		return wallet
	}
	return e.Detail
}

// Entry is an event in the audit log. It is sealed soon after it was added: it gets
// a position in a chain and a hash over itself and the previous hash. After that, an
// entry can be changed or removed only by recomputing all later hashes, and anyone
// who has recorded one of these can detect that.
type Entry struct {
	Event

	ID           int64
	Position     int64  // in the chain, starting at 1; 0 if not sealed yet
	PreviousHash string // of the previous entry; empty for the first
	Hash         string // 64 hexadecimal digits
}

// SealAfter seals the entry as the successor of last, which is the zero Entry if
// the chain is empty.
func (e *Entry) SealAfter(last Entry) {
	e.Position, e.PreviousHash = last.Position+1, last.Hash
	e.Hash = e.sum()
}

// sum returns the SHA-256 of the entry's fields, encoded as netstrings
// (https://cr.yp.to/proto/netstrings.txt) so that different entries never have the
// same encoding. The time is in microseconds since 1970, and numbers are decimal.
func (e *Entry) sum() string {
	h := sha256.New()
	for _, text := range []string{
		e.PreviousHash, strconv.FormatInt(e.Position, 10), strconv.FormatInt(e.ID, 10), strconv.FormatInt(e.At.UnixMicro(), 10),
		e.UserID, e.UserName, e.TokenID, e.Address, e.Action, e.Target, e.Outcome, e.Detail,
	} {
		fmt.Fprintf(h, "%d:%s,", len(text), text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// AuditFilter selects entries. Empty fields do not filter.
type AuditFilter struct {
	UserName string // of the actor, at the time of the event
	Action   string // such as "token.create", or a prefix such as "token" for all actions on tokens
	Target   string
	Outcome  string
	Since    time.Time
	Until    time.Time // exclusive
}

// AuditStore stores the audit log. Events are added in the transactions that make
// the recorded changes.
type AuditStore interface {
	// Audit returns up to limit entries whose ids are less than before, latest
	// first. If before is 0, it starts with the latest entry.
	Audit(ctx context.Context, f AuditFilter, before int64, limit int) ([]Entry, error)
	// AuditChain returns sealed entries in the order of the chain, starting at the
	// position given by from.
	AuditChain(ctx context.Context, from int64, limit int) ([]Entry, error)
	// SealAudit seals all entries that are not sealed yet.
	SealAudit(ctx context.Context) error
	// AuditAnchor returns the position and the hash of the last entry that was
	// archived and removed, or the zero Entry.
	AuditAnchor(ctx context.Context) (Entry, error)
	// RemoveAudit removes the sealed entries up to last, makes last the anchor and
	// adds the event e, in one transaction. It fails if the stored entry differs
	// from last.
	RemoveAudit(ctx context.Context, last Entry, e Event) error
}

// Audit reads the audit log.
type Audit struct{ store AuditStore }

// NewAudit returns an Audit that reads from store.
func NewAudit(store AuditStore) *Audit { return &Audit{store} }

// List returns up to limit entries whose ids are less than before, latest first. If
// before is 0, it starts with the latest entry.
func (a *Audit) List(ctx context.Context, f AuditFilter, before int64, limit int) ([]Entry, error) {
	return a.store.Audit(ctx, f, before, limit)
}

// AuditReport is the result of verifying the chain.
type AuditReport struct {
	Anchor   Entry // last archived entry, which precedes the chain; the zero Entry without an archive
	Entries  int64
	Last     Entry // last entry of the chain, or Anchor if the chain is empty
	Found    bool  // whether the requested hash is in the chain
	Problems []string
}

// maxAuditProblems is the maximum number of problems that are reported
// individually.
const maxAuditProblems = 20

// Seal seals all entries that are not sealed yet.
func (a *Audit) Seal(ctx context.Context) error { return a.store.SealAudit(ctx) }

// Verify reads the whole chain and reports missing and changed entries as Problems.
// The chain alone does not show that the latest entries were removed. To detect
// that, the caller passes a hash from an earlier verification: Found is false if no
// entry has it.
func (a *Audit) Verify(ctx context.Context, hash string) (AuditReport, error) {
	var r AuditReport
	isArchived := false
	err := a.chain(ctx, &r, func(e Entry) error {
		r.add(e)
		r.Found = r.Found || e.Hash == hash
		isArchived = isArchived || e.Action == ArchiveAction && e.Target == r.Anchor.Hash
		return nil
	})
	if r.Anchor.Position > 0 && !isArchived && err == nil {
		r.problem("no entry records the archive that ends at position %d: entries were removed without archiving", r.Anchor.Position)
	}
	return r, err
}

// chain calls each for every entry of the chain after the anchor, and sets r.Anchor
// and r.Last to the anchor before the first call.
func (a *Audit) chain(ctx context.Context, r *AuditReport, each func(Entry) error) (err error) {
	const atATime = 1000
	if r.Anchor, err = a.store.AuditAnchor(ctx); err != nil {
		return err
	}
	r.Last = r.Anchor
	for next := r.Anchor.Position + 1; ; {
		entries, err := a.store.AuditChain(ctx, next, atATime)
		if err != nil {
			return err
		}
		for _, e := range entries {
			next = e.Position + 1
			if err := each(e); err != nil {
				return err
			}
		}
		if len(entries) < atATime {
			return nil
		}
	}
}

func (r *AuditReport) add(e Entry) {
	switch last := r.Last; {
	case e.Position != last.Position+1:
		r.problem("entries between the positions %d and %d were removed", last.Position, e.Position)
	case e.PreviousHash != last.Hash:
		r.problem("position %d (audit_id %d) does not match the previous entry: one of the two was changed", e.Position, e.ID)
	}
	if e.Hash != e.sum() {
		r.problem("position %d (audit_id %d) was changed: its hash does not match", e.Position, e.ID)
	}
	r.Entries++
	r.Last = e
}

func (r *AuditReport) problem(format string, args ...any) {
	switch len(r.Problems) {
	case maxAuditProblems:
		return
	case maxAuditProblems - 1:
		r.Problems = append(r.Problems, "and more")
	default:
		r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	}
}
