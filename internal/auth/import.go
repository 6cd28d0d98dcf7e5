package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Why something is not brought along from Specter Desktop.
var (
	// ErrImportDeleted is returned for what was imported before and is gone.
	ErrImportDeleted = fault.New(fault.Conflict, "deleted_here", "was imported before and has been deleted here since; it stays deleted")
	// ErrImportExpired is returned for a token that has ended.
	ErrImportExpired = fault.New(fault.Conflict, "token_expired", "the token has expired")
	// ErrImportToken is returned for what Specter Desktop does not accept either.
	ErrImportToken  = fault.New(fault.Invalid, "bad_token", "it is no token of this user's that Specter Desktop accepts")
	errImportLength = fault.New(fault.Invalid, "token_too_long", "the token is longer than %d bytes, which is all that specterd reads; make a new one", maxTokenBytes)
)

// Kinds of what is imported.
const (
	ImportUser  = "user"
	ImportToken = "token"
)

// Outcome is what became of something that is brought along, or would become.
type Outcome string

// The outcomes.
const (
	OutcomeNew    Outcome = "imported"
	OutcomeBefore Outcome = "already here" // from an import before
	// OutcomeFirst is for an admin who takes the place of the first admin here,
	// whose password is still the default one.
	OutcomeFirst Outcome = "imported as the first admin"
)

// ImportStore keeps what is brought along, and remembers that it was.
type ImportStore interface {
	// ImportedAs returns the id that something was given here; it is empty for
	// what was never imported. It may be gone meanwhile.
	ImportedAs(ctx context.Context, kind, origin string) (id string, err error)
	UserByName(ctx context.Context, name string) (User, error)
	// UserByID returns ErrUserNotFound where there is none.
	UserByID(ctx context.Context, id string) (User, error)
	TokenOfUser(ctx context.Context, userID, id string) (Token, error)
	TokensOfUser(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error)
	// ImportUser has decide say what becomes of a user, given the one of that
	// name who is here, if any; whom decide returns is added, or changed where
	// the id is theirs. It may call decide more than once. It returns
	// ErrUserExists where the origin was imported meanwhile.
	ImportUser(ctx context.Context, origin, name string, decide func(here *User) (User, Event, error)) error
	// ImportToken adds a token. It returns ErrDescriptionTaken where its id, its
	// description or its origin is taken, and ErrUnauthenticated where the user
	// is not active.
	ImportToken(ctx context.Context, origin string, t Token, e Event) error
}

// Imports brings users and tokens along from Specter Desktop. Nothing is
// imported twice, and nothing comes back that was deleted here.
type Imports struct {
	store     ImportStore
	passwords *Passwords
	now       func() time.Time
}

// NewImports returns an Imports that keeps what it imports in store.
func NewImports(store ImportStore, passwords *Passwords, now func() time.Time) *Imports {
	return &Imports{store: store, passwords: passwords, now: now}
}

// ForeignUser is a user of Specter Desktop.
type ForeignUser struct {
	Origin string // what tells them from all users of all Specter Desktops
	Name   string
	Admin  bool
	Salt   string
	Hash   []byte // PBKDF2, as Specter Desktop has it
}

// User brings a user along, with their password whatever it is. It returns
// ErrUserExists for a name that somebody has here already, except for the first
// admin here, with the default password, whose place an admin of that name
// takes. With dryRun nothing is written; the user has no id then, if new.
func (s *Imports) User(ctx context.Context, who *Principal, in ForeignUser, dryRun bool) (User, Outcome, error) {
	u, known, err := s.before(ctx, in)
	if known || err != nil {
		return u, OutcomeBefore, err
	}
	if err := checkNewName(in.Name); err != nil {
		return User{}, "", err
	}
	// Looked at first, so that a name that is taken costs no hashing.
	u, err = s.store.UserByName(ctx, in.Name)
	here := &u
	if errors.Is(err, ErrUserNotFound) {
		here, err = nil, nil
	}
	if err != nil {
		return User{}, "", err
	}
	u, outcome, err := s.decide(in, here)
	if err != nil || dryRun {
		return u, outcome, err
	}
	hashed, err := s.passwords.hashSpecter(ctx, who.Address, in.Salt, in.Hash)
	if err != nil {
		return User{}, "", err
	}
	id := uuid.NewString()
	err = s.store.ImportUser(ctx, in.Origin, in.Name, func(here *User) (User, Event, error) {
		var err error
		u, outcome, err = s.decide(in, here)
		if here == nil {
			u.ID = id
		}
		u.PasswordHash = hashed
		return u, who.Event(s.now(), "user.import", u.Name, roleDetail(u.Admin)), err
	})
	return u, outcome, err
}

// decide says what becomes of a user, given the one of that name who is here.
func (s *Imports) decide(in ForeignUser, here *User) (User, Outcome, error) {
	u, outcome := User{Name: in.Name, Admin: in.Admin, CreatedAt: s.now()}, OutcomeNew
	if here != nil {
		if !in.Admin || !here.Admin || !here.Active() || !here.PasswordIsDefault || here.Name != FirstAdmin {
			return User{}, "", ErrUserExists
		}
		u, outcome = *here, OutcomeFirst
	}
	u.PasswordIsDefault = isDefaultOf(in.Salt, in.Hash)
	return u, outcome, nil
}

// before looks for a user who was imported before.
func (s *Imports) before(ctx context.Context, in ForeignUser) (u User, known bool, err error) {
	id, err := s.store.ImportedAs(ctx, ImportUser, in.Origin)
	if id == "" || err != nil {
		return User{}, false, err
	}
	u, err = s.store.UserByID(ctx, id)
	if errors.Is(err, ErrUserNotFound) {
		err = ErrImportDeleted
	}
	return u, true, err
}

// ForeignToken is a token that Specter Desktop has stored for a user.
type ForeignToken struct {
	Origin      string // as for users
	ID          string
	UserName    string // as in Specter Desktop
	Text        string // the token itself
	Description string
	Lifetime    time.Duration
}

// Token brings a token of an imported user along, with the SpecterScopes. What
// Specter Desktop itself would not accept is not accepted here: a token that is
// somebody else's, that has another id than its record, or has ended. Two tokens
// that one user has never have one description; the second gets another.
func (s *Imports) Token(ctx context.Context, who *Principal, owner User, in ForeignToken, dryRun bool) (Token, Outcome, error) {
	now := s.now()
	t, err := in.read(now)
	if err != nil {
		return Token{}, "", err
	}
	t.UserID = owner.ID
	id, err := s.store.ImportedAs(ctx, ImportToken, in.Origin)
	if err != nil {
		return Token{}, "", err
	}
	if id != "" {
		t, err = s.store.TokenOfUser(ctx, owner.ID, id)
		if errors.Is(err, ErrTokenNotFound) {
			err = ErrImportDeleted
		}
		return t, OutcomeBefore, err
	}
	if t.Description, err = s.describe(ctx, owner.ID, in); err != nil || dryRun {
		return t, OutcomeNew, err
	}
	if !owner.Active() {
		return Token{}, "", fault.New(fault.Conflict, "user_disabled", "the user is disabled here")
	}
	detail := fmt.Sprintf("scopes %s; until %s", t.Scopes, t.ExpiresAt.Format(time.RFC3339))
	err = s.store.ImportToken(ctx, in.Origin, t, who.Event(now, "token.import", t.ID, detail))
	return t, OutcomeNew, err
}

// read returns what the token claims, as far as it can be believed.
func (in ForeignToken) read(now time.Time) (Token, error) {
	if len(in.Text) > maxTokenBytes {
		return Token{}, errImportLength
	}
	c, ok := unverifiedClaims(in.Text)
	if !ok || c.TokenID != in.ID || c.Username != in.UserName || c.IssuedAt == nil {
		return Token{}, ErrImportToken
	}
	t := Token{
		ID: in.ID, Hash: sha256.Sum256([]byte(in.Text)), Scopes: SpecterScopes, Imported: true,
		Lifetime: in.Lifetime, CreatedAt: c.IssuedAt.UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}
	if !now.Before(t.ExpiresAt) {
		return Token{}, ErrImportExpired
	}
	if latest := now.Add(MaxLifetime).Truncate(time.Second); t.ExpiresAt.After(latest) {
		t.ExpiresAt = latest
	}
	if t.CreatedAt.After(now) || t.CreatedAt.Year() < 2000 {
		t.CreatedAt = now
	}
	return t, nil
}

// describe returns the description that an imported token gets: its own, as far
// as it can be shown, and marked where the user has it already.
func (s *Imports) describe(ctx context.Context, userID string, in ForeignToken) (string, error) {
	description := text.Clean(in.Description)
	mark := fmt.Sprintf(" (%.8s)", in.ID)
	if runes := []rune(description); len(runes) > maxDescription {
		description = string(runes[:maxDescription-len(mark)]) + mark
	}
	if userID == "" {
		return description, nil
	}
	for after := (TokenCursor{}); ; {
		tokens, err := s.store.TokensOfUser(ctx, userID, after, describePage)
		if err != nil {
			return "", err
		}
		for _, t := range tokens {
			if t.Description == description {
				runes := []rune(description)
				return string(runes[:min(len(runes), maxDescription-len(mark))]) + mark, nil
			}
			after = TokenCursor{CreatedAt: t.CreatedAt, ID: t.ID}
		}
		if len(tokens) < describePage {
			return description, nil
		}
	}
}

const describePage = 500
