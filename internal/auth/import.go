package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Reasons why an object is not imported from Specter Desktop.
var (
	// ErrImportDeleted is returned for an object that was imported before and
	// deleted since.
	ErrImportDeleted = fault.New(fault.Conflict, "deleted_since_import", "was imported before and has been deleted here since; it stays deleted")
	// ErrImportExpired is returned for an expired token.
	ErrImportExpired = fault.New(fault.Conflict, "token_expired", "the token has expired")
	// ErrImportToken is returned for a token that Specter Desktop would not accept.
	ErrImportToken  = fault.New(fault.Invalid, "invalid_token", "this is not a token of this user that Specter Desktop accepts")
	errImportLength = fault.New(fault.Invalid, "token_too_long", "the token is longer than specterd's limit of %d bytes; create a new one", maxTokenBytes)
)

// Kinds of imported objects.
const (
	ImportUser  = "user"
	ImportToken = "token"
)

// Outcome is the result of importing an object. In a dry run, it is the result that
// an import would have.
type Outcome string

// The outcomes.
const (
	OutcomeNew    Outcome = "imported"
	OutcomeBefore Outcome = "already here" // from a previous import
	// OutcomeFirst means that an imported admin replaced the first admin of the
	// database, whose password was still the default one.
	OutcomeFirst Outcome = "imported as the first admin"
	// OutcomeInto means that an existing user gets the tokens and wallets of the
	// imported user.
	OutcomeInto Outcome = "imported into an existing user"
)

// ImportStore stores imported objects and remembers that they were imported.
type ImportStore interface {
	// ImportedAs returns the id under which an object was imported, or "" if it was
	// never imported. The object may have been deleted since.
	ImportedAs(ctx context.Context, kind, origin string) (id string, err error)
	UserByName(ctx context.Context, name string) (User, error)
	// UserByID returns ErrUserNotFound if the user does not exist.
	UserByID(ctx context.Context, id string) (User, error)
	TokenOfUser(ctx context.Context, userID, id string) (Token, error)
	TokensOfUser(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error)
	// ImportUser calls decide with the existing user of that name, or nil if there
	// is none. It adds the user that decide returns or, if that user has the id of
	// an existing one, changes the existing user. It may call decide more than
	// once. It returns ErrUserExists if another process has just imported the user.
	ImportUser(ctx context.Context, origin, name string, decide func(here *User) (User, Event, error)) error
	// ImportToken adds a token. It returns ErrDescriptionTaken if its id, its
	// description or its origin is taken, and ErrUnauthenticated if the user is not
	// active.
	ImportToken(ctx context.Context, origin string, t Token, e Event) error
}

// Imports imports users and tokens from Specter Desktop. It imports each object at
// most once, even if the object was deleted afterwards.
type Imports struct {
	store     ImportStore
	passwords *Passwords
	now       func() time.Time
}

// NewImports returns an Imports that stores imported objects in store.
func NewImports(store ImportStore, passwords *Passwords, now func() time.Time) *Imports {
	return &Imports{store: store, passwords: passwords, now: clock.Microseconds(now)}
}

// ForeignUser is a user of Specter Desktop.
type ForeignUser struct {
	Origin string // unique among the users of all Specter Desktop instances
	Name   string
	Admin  bool
	Salt   string
	Hash   []byte // PBKDF2, as in Specter Desktop
	// Into is the name of an existing user who gets the tokens and wallets, and keeps
	// password and role; empty to create a user.
	Into string
}

// User imports a user with their password, without checking its strength. A user who
// was imported before is returned unchanged. It returns ErrImportDeleted if the user
// was imported before and deleted since. It returns ErrUserExists if the name is taken,
// with one exception: if an imported admin has the name of the first admin, who is
// active and still has the default password, the existing user gets the imported
// password. With in.Into, an existing user gets the tokens and wallets, and User returns
// ErrUserNotFound if there is no such user. If dryRun is set, it changes nothing, and a new user has no id.
func (s *Imports) User(ctx context.Context, who *Principal, in ForeignUser, dryRun bool) (User, Outcome, error) {
	u, known, err := s.before(ctx, in)
	if known || err != nil {
		return u, OutcomeBefore, err
	}
	if in.Into != "" {
		return s.into(ctx, who, in, dryRun)
	}
	if err := checkNewName(in.Name); err != nil {
		return User{}, "", err
	}
	// Check first, so that a taken name costs no hashing.
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

// CheckUser returns ErrUserNotFound if there is no user of that name.
func (s *Imports) CheckUser(ctx context.Context, name string) error {
	_, err := s.store.UserByName(ctx, name)
	return err
}

// into remembers that a user is imported into an existing one, who is unchanged.
func (s *Imports) into(ctx context.Context, who *Principal, in ForeignUser, dryRun bool) (User, Outcome, error) {
	u, err := s.store.UserByName(ctx, in.Into)
	if err != nil || dryRun {
		return u, OutcomeInto, err
	}
	err = s.store.ImportUser(ctx, in.Origin, in.Into, func(here *User) (User, Event, error) {
		if here == nil {
			return User{}, Event{}, ErrUserNotFound // deleted meanwhile
		}
		u = *here
		return u, who.Event(s.now(), "user.import", u.Name, "tokens and wallets only"), nil
	})
	return u, OutcomeInto, err
}

// decide returns the user to store and the outcome. The parameter here is the
// existing user of that name, or nil. If the imported user must not replace it,
// decide returns ErrUserExists.
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

// before returns the user that an earlier import created; known reports whether there was
// one. It returns ErrImportDeleted if that user was deleted since.
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

// ForeignToken is a user's token as stored by Specter Desktop.
type ForeignToken struct {
	Origin      string // as in ForeignUser
	ID          string
	UserName    string // as in Specter Desktop
	Text        string // the encoded token
	Description string
	Lifetime    time.Duration
}

// Token imports a token of an imported user, with the SpecterScopes. It returns
// ErrImportToken for tokens that Specter Desktop itself would reject, that is,
// tokens of another user and tokens whose id differs from the stored record;
// ErrImportExpired for expired tokens; and ErrImportDeleted for a token that was
// imported before and deleted since. If the user already has a token with the same
// description, a suffix is added to the description.
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

// read checks the claims of the token and converts them to a Token. It caps the
// expiry at MaxLifetime from now. A creation time in the future or before the year 2000
// is set to now.
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

// describe returns the description of an imported token: the original one without
// unprintable characters, shortened if it is too long, and with a suffix if another
// token of the user has it.
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
