package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// ArchiveAction is the action of the event that records an archive; its target is
// the hash of the last archived entry.
const ArchiveAction = "audit.archive"

// archivedEntry is the JSON representation of an entry: one line of an archive.
type archivedEntry struct {
	Position     int64     `json:"position"`
	PreviousHash string    `json:"previous_hash"`
	ID           int64     `json:"audit_id"`
	At           time.Time `json:"at"`
	UserID       string    `json:"user_id"`
	UserName     string    `json:"user_name"`
	TokenID      string    `json:"token_id"`
	Address      string    `json:"address"`
	Action       string    `json:"action"`
	Target       string    `json:"target"`
	Outcome      string    `json:"outcome"`
	Detail       string    `json:"detail"`
	Hash         string    `json:"hash"`
}

func (a archivedEntry) entry() Entry {
	return Entry{
		ID: a.ID, Position: a.Position, PreviousHash: a.PreviousHash, Hash: a.Hash,
		Event: Event{
			At: a.At, UserID: a.UserID, UserName: a.UserName, TokenID: a.TokenID, Address: a.Address,
			Action: a.Action, Target: a.Target, Outcome: a.Outcome, Detail: a.Detail,
		},
	}
}

func archivedOf(e Entry) archivedEntry {
	return archivedEntry{
		Position: e.Position, PreviousHash: e.PreviousHash, ID: e.ID, At: e.At.UTC(), UserID: e.UserID, UserName: e.UserName,
		TokenID: e.TokenID, Address: e.Address, Action: e.Action, Target: e.Target, Outcome: e.Outcome, Detail: e.Detail, Hash: e.Hash,
	}
}

// errTooRecent stops the iteration of WriteArchive: it is returned for the first
// entry that is too recent.
var errTooRecent = errors.New("the entry is too recent to be archived")

// WriteArchive writes the sealed entries that are older than before, from the
// beginning of the chain, as JSON Lines. It returns the result of verifying them. It
// returns an error if an entry is missing or was changed, because this must be
// investigated before the log is archived.
func (a *Audit) WriteArchive(ctx context.Context, before time.Time, out io.Writer) (AuditReport, error) {
	var r AuditReport
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	err := a.chain(ctx, &r, func(e Entry) error {
		if !e.At.Before(before) {
			return errTooRecent
		}
		if r.add(e); len(r.Problems) > 0 {
			return fmt.Errorf("the audit log was changed: %s", r.Problems[0])
		}
		return encoder.Encode(archivedOf(e))
	})
	if errors.Is(err, errTooRecent) {
		err = nil
	}
	return r, err
}

// RemoveArchived removes from the database the entries that WriteArchive wrote. R is
// the result of WriteArchive, and file is the name of the archive, which is recorded
// in the audit log.
func (a *Audit) RemoveArchived(ctx context.Context, who *Principal, now time.Time, r AuditReport, file string) error {
	detail := fmt.Sprintf("%d entries up to position %d, in %s", r.Entries, r.Last.Position, file)
	return a.store.RemoveAudit(ctx, r.Last, who.Event(now, ArchiveAction, r.Last.Hash, detail))
}

// VerifyArchive verifies an archive, adds the result to r, and sets r.Found if an
// entry has the given hash. R must contain the result for the preceding archive, or
// be the zero AuditReport for the first one. It returns an error only if the archive
// cannot be read or parsed.
func (r *AuditReport) VerifyArchive(in io.Reader, hash string) error {
	decoder := json.NewDecoder(in)
	decoder.DisallowUnknownFields()
	for {
		var line archivedEntry
		err := decoder.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("position %d is followed by an invalid entry: %w", r.Last.Position, err)
		}
		e := line.entry()
		if r.Entries == 0 {
			r.Anchor = Entry{Position: e.Position - 1, Hash: e.PreviousHash}
			r.Last = r.Anchor
		}
		r.add(e)
		r.Found = r.Found || e.Hash == hash
	}
}

// ArchiveBegin returns the position in the chain of the first entry of an archive.
func ArchiveBegin(in io.Reader) (int64, error) {
	var line archivedEntry
	if err := json.NewDecoder(in).Decode(&line); err != nil {
		return 0, fmt.Errorf("read the first entry: %w", err)
	}
	return line.Position, nil
}
