package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// ErrUnauthenticated is returned for every credential that is not accepted,
// whatever the reason.
var ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated",
	"the user name and password, or the token, were not accepted; the token may have expired or been deleted")

// Credential is a token's row together with its user's, as a request needs them; for
// a password, the Token is empty but for the id of its user. It may be shared and is
// never changed.
type Credential struct {
	Token
	UserName string
	Admin    bool
	Active   bool
	// AccessVersion is the user's, for a password only.
	AccessVersion int64
}

// CredentialStore is what logging in needs to be kept.
type CredentialStore interface {
	UserByName(ctx context.Context, name string) (User, error)
	// UserByID returns ErrUserNotFound where there is none.
	UserByID(ctx context.Context, id string) (User, error)
	EditUser(ctx context.Context, who *Principal, name string, edit func(*UserEdit) error) (User, error)
	// CredentialByID reads the row of a token as it is at this moment, also
	// where somebody else has just changed it. It returns ErrTokenNotFound where
	// there is none.
	CredentialByID(ctx context.Context, tokenID string) (*Credential, error)
}

// Login finds out who is calling.
type Login struct {
	log       *slog.Logger
	store     CredentialStore
	passwords *Passwords
	signer    *Signer
	journal   *Journal
	throttle  *throttle
	now       func() time.Time

	refuseDefault bool
	limits        TokenLimits
}

// NewLogin returns a Login. The journal is told of logins and of tokens' use.
func NewLogin(log *slog.Logger, store CredentialStore, passwords *Passwords, signer *Signer, journal *Journal, now func() time.Time) *Login {
	return &Login{log: log, store: store, passwords: passwords, signer: signer, journal: journal, throttle: newThrottle(), now: now}
}

// RefuseDefaultPasswords has nobody let in who still has the DefaultPassword,
// from now on. It is for a server that others can reach: that none had it at the
// start does not say that nobody is imported later who has it. It must be called
// before the first login.
func (l *Login) RefuseDefaultPasswords() { l.refuseDefault = true }

// Password returns the principal with this name and password. Every refusal
// that depends on who exists takes one comparison, and is ErrUnauthenticated.
// It returns TooMany faults where too many fail or wait.
func (l *Login) Password(ctx context.Context, name, password, address string) (*Principal, error) {
	if len(password) > maxTriedBytes || strings.ContainsRune(password, 0) || CheckUserName("name", name) != nil {
		return nil, ErrUnauthenticated
	}
	key := loginKey{user: FoldName(name), origin: originOf(address)}
	admit := func() error { return l.throttle.check(key, l.now()) }
	if err := admit(); err != nil {
		return nil, err
	}
	u, err := l.store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, ErrUserNotFound) {
		return nil, err
	}
	hashed := u.PasswordHash
	if !u.Active() || (l.refuseDefault && u.PasswordIsDefault) {
		hashed = "" // as if there were no such user
	}
	good, err := l.passwords.matches(ctx, address, hashed, password, admit)
	if err != nil {
		return nil, err
	}
	if !good {
		l.throttle.failed(key, l.now())
		e := (&Principal{Address: address}).Event(l.now(), "login", name, "")
		e.Outcome = outcomeRefused
		l.journal.login(e, u.ID)
		return nil, ErrUnauthenticated
	}
	l.throttle.proved(key, l.now())
	// The comparison may have waited for its turn, and takes long itself.
	who, err := l.Recheck(ctx, u.Credential().Principal(address))
	if err != nil {
		return nil, err
	}
	l.journal.login(who.Event(l.now(), "login", u.Name, ""), u.ID)
	if l.passwords.outdated(u.PasswordHash) {
		l.rehash(ctx, u, password, address)
	}
	return who, nil
}

// rehash brings a password that was just proved to the cost that is set now, so
// that comparing takes the same time for everybody.
func (l *Login) rehash(ctx context.Context, u User, password, address string) {
	hashed, err := l.passwords.rehash(ctx, address, u.PasswordHash, password)
	if err == nil {
		_, err = l.store.EditUser(ctx, Program("rehash"), u.Name, func(e *UserEdit) error {
			if e.PasswordHash == u.PasswordHash {
				e.PasswordHash, e.KeepAccess = hashed, true
			}
			e.Event = (&Principal{UserID: u.ID, UserName: u.Name, Address: address}).Event(l.now(), "user.rehash", u.Name, "")
			return nil
		})
	}
	if err != nil {
		l.log.WarnContext(ctx, "a password keeps its old hash", "user", u.Name, "error", err)
	}
}

// Token returns the principal of a bearer token. Its row decides: what is not
// in the database at this moment, as it is there, is ErrUnauthenticated. Agent
// is what the client calls itself.
func (l *Login) Token(ctx context.Context, token, address, agent string) (*Principal, error) {
	p, ok := l.signer.look(token)
	if !ok {
		return nil, ErrUnauthenticated
	}
	c, err := l.store.CredentialByID(ctx, p.id)
	switch {
	case errors.Is(err, ErrTokenNotFound):
		return nil, ErrUnauthenticated
	case err != nil:
		return nil, err
	}
	now := l.now()
	if !c.accepts(p.hash, now) || l.limits.idle(&c.Token, now) {
		return nil, ErrUnauthenticated
	}
	if !c.Imported { // of those that were brought along, the hash decides alone
		good, err := l.signer.verify(ctx, p, c.SigningKey)
		if err != nil {
			return nil, err
		}
		if !good {
			return nil, ErrUnauthenticated
		}
	}
	l.journal.used(p.id, c.LastUse.At, Use{At: now, Address: address, Agent: agent})
	return c.Principal(address), nil
}
