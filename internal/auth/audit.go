package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Event is what the audit record is told: who did what, on what, when, and how
// it ended. It never holds a password, a token or a key, nor what is private to the
// members of a wallet, since all admins see it.
type Event struct {
	At       time.Time
	UserID   string
	UserName string
	TokenID  string
	Address  string
	Action   string // such as "token.create"
	Target   string // what it was done to: a user's name, a token's id
	Outcome  string // "ok" or "refused"
	Detail   string
}

// The outcomes.
const (
	outcomeOK      = "ok"
	outcomeRefused = "refused"
)

// Event returns the record of an act of p that is done now.
func (p *Principal) Event(now time.Time, action, target, detail string) Event {
	return Event{
		At: now, UserID: p.UserID, UserName: p.UserName, TokenID: p.TokenID, Address: p.Address,
		Action: action, Target: target, Outcome: outcomeOK, Detail: detail,
	}
}

// SharedDetail returns the detail as admins may see it who are no members of the wallet
// that the event is about. Events of today have no names, labels, addresses, outpoints,
// transactions or amounts of wallets in it; those of older versions do, and cannot be
// changed, since they are sealed.
func (e Event) SharedDetail() string {
	switch e.Action {
	case "wallet.create", "wallet.rename", "wallet.alias", "wallet.files_delete", "coin.freeze", "coin.unfreeze":
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

// Entry is an event in the audit record. It is sealed soon after it was added: then
// it has a position in a chain, and a hash of itself and of the hash before it. So
// none can be changed or taken away, unless all that follow are made anew, which
// whoever wrote a later hash down will see.
type Entry struct {
	Event

	ID           int64
	Position     int64  // in the chain, from 1 on; 0 before it is sealed
	PreviousHash string // of the entry before; empty at the first
	Hash         string // 64 hexadecimal digits
}

// SealBehind puts the entry behind the last of the chain, of which there may be
// none.
func (e *Entry) SealBehind(last Entry) {
	e.Position, e.PreviousHash = last.Position+1, last.Hash
	e.Hash = e.sum()
}

// sum is the SHA-256 of the netstrings (https://cr.yp.to/proto/netstrings.txt) of
// what the entry holds, which no other entry can have: the time is in microseconds
// since 1970, and numbers are decimal.
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

// AuditFilter says which entries are wanted. Empty fields are no condition.
type AuditFilter struct {
	UserName string // of who did it, as it was then
	Action   string // or a group of them: "token" for "token.create" and its like
	Target   string
	Outcome  string
	Since    time.Time
	Until    time.Time // before this time
}

// AuditStore keeps the audit record. Events are added by what does what they tell of.
type AuditStore interface {
	// Audit returns entries, the latest first, from the one before an id on; 0 for
	// the beginning.
	Audit(ctx context.Context, f AuditFilter, before int64, limit int) ([]Entry, error)
	// AuditChain returns sealed entries in the order of the chain, from a position on.
	AuditChain(ctx context.Context, from int64, limit int) ([]Entry, error)
	// SealAudit seals all entries that are not.
	SealAudit(ctx context.Context) error
	// AuditAnchor returns the position and the hash of the last entry that was
	// archived and removed; the zero Entry where none was.
	AuditAnchor(ctx context.Context) (Entry, error)
	// RemoveAudit removes the sealed entries up to last, which has to be there as it
	// is, makes it the anchor and adds an event, in one transaction.
	RemoveAudit(ctx context.Context, last Entry, e Event) error
}

// Audit reads the audit record.
type Audit struct{ store AuditStore }

// NewAudit returns an Audit of a store.
func NewAudit(store AuditStore) *Audit { return &Audit{store} }

// List returns entries, the latest first, from the one before an id on; 0 for the
// beginning.
func (a *Audit) List(ctx context.Context, f AuditFilter, before int64, limit int) ([]Entry, error) {
	return a.store.Audit(ctx, f, before, limit)
}

// AuditReport is what was found of the chain.
type AuditReport struct {
	Anchor   Entry // the last before them, which was archived; the zero Entry for none
	Entries  int64
	Last     Entry // zero where there is none
	Found    bool  // whether the hash that was asked for is one of the chain
	Problems []string
}

// maxAuditProblems is how many problems are told of one by one.
const maxAuditProblems = 20

// Seal seals all entries that are not.
func (a *Audit) Seal(ctx context.Context) error { return a.store.SealAudit(ctx) }

// Verify reads the whole chain: are all entries that were sealed there, and as they
// were? That the latest were taken away shows only with a hash that was
// written down before, which is looked for.
func (a *Audit) Verify(ctx context.Context, hash string) (AuditReport, error) {
	var r AuditReport
	told := false
	err := a.chain(ctx, &r, func(e Entry) error {
		r.add(e)
		r.Found = r.Found || e.Hash == hash
		told = told || e.Action == ArchiveAction && e.Target == r.Anchor.Hash
		return nil
	})
	if r.Anchor.Position > 0 && !told && err == nil {
		r.problem("no entry tells of the archive that ends at position %d: entries were taken away without one", r.Anchor.Position)
	}
	return r, err
}

// chain calls each for the entries of the chain, from the anchor on, which it notes in r.
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
		r.problem("between the positions %d and %d entries were taken away", last.Position, e.Position)
	case e.PreviousHash != last.Hash:
		r.problem("position %d (audit_id %d) does not follow the entry before it: one of the two was changed", e.Position, e.ID)
	}
	if e.Hash != e.sum() {
		r.problem("position %d (audit_id %d) was changed: it is not what its hash is of", e.Position, e.ID)
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
