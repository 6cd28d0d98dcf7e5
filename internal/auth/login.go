package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// ErrUnauthenticated is returned for every rejected credential, whatever the
// reason.
var ErrUnauthenticated = fault.New(fault.Unauthenticated, "unauthenticated",
	"invalid credentials; the token may have expired or been revoked")

// Credential contains the data of a token and its user that a request needs, as read
// from the database. For a password or a session, the Token contains only the id of the user. A
// Credential may be shared and must not be changed.
type Credential struct {
	Token
	UserName string
	Admin    bool
	Active   bool
	// AccessVersion is set for a password or a session only; see User.
	AccessVersion int64
	Session       *Session // nil for a token or a password
}

// CredentialStore stores the data that authentication needs.
type CredentialStore interface {
	UserByName(ctx context.Context, name string) (User, error)
	// UserByID returns ErrUserNotFound if the user does not exist.
	UserByID(ctx context.Context, id string) (User, error)
	EditUser(ctx context.Context, who *Principal, name string, edit func(*UserEdit) error) (User, error)
	// CredentialByID returns the current row of a token, including changes that
	// another process has just committed. It returns ErrTokenNotFound if the token
	// does not exist.
	CredentialByID(ctx context.Context, tokenID string) (*Credential, error)
	// SessionByID returns the current rows of a session and its user, or
	// ErrSessionNotFound.
	SessionByID(ctx context.Context, id string) (*Credential, error)
}

// Login authenticates callers.
type Login struct {
	log       *slog.Logger
	store     CredentialStore
	passwords *Passwords
	signer    *Signer
	recorder  *Recorder
	throttle  *throttle
	now       func() time.Time

	refuseDefault bool
	limits        TokenLimits
}

// NewLogin returns a Login that reports logins and the use of tokens to recorder.
func NewLogin(log *slog.Logger, store CredentialStore, passwords *Passwords, signer *Signer, recorder *Recorder, now func() time.Time) *Login {
	return &Login{log: log, store: store, passwords: passwords, signer: signer, recorder: recorder, throttle: newThrottle(), now: now}
}

// RefuseDefaultPasswords makes l reject logins with the DefaultPassword. It is for
// a server that is reachable from other hosts: even if no user has that password at
// the start, a user who has it may be imported later. It must be called before the
// first login.
func (l *Login) RefuseDefaultPasswords() { l.refuseDefault = true }

// Password returns the principal with this name and password. It rejects a malformed
// name or password immediately. If the user does not exist, is disabled or has a default
// password that is refused, or if the password is wrong, it returns ErrUnauthenticated
// after one comparison, so that the response time does not reveal the reason. It
// returns a TooMany fault after too many failed logins, or if too many passwords
// are waiting to be checked.
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
		hashed = "" // compare with the dummy hash, as for an unknown user
	}
	good, err := l.passwords.matches(ctx, address, hashed, password, admit)
	if err != nil {
		return nil, err
	}
	if !good {
		l.throttle.failed(key, l.now())
		e := (&Principal{Address: address}).Event(l.now(), "login", name, "")
		e.Outcome = outcomeRefused
		l.recorder.login(e, u.ID)
		return nil, ErrUnauthenticated
	}
	l.throttle.proved(key, l.now())
	// The comparison takes long and may have been queued, so check the user again.
	who, err := l.Recheck(ctx, u.Credential().Principal(address))
	if err != nil {
		return nil, err
	}
	l.recorder.login(who.Event(l.now(), "login", u.Name, ""), u.ID)
	if l.passwords.outdated(u.PasswordHash) {
		l.rehash(ctx, u, password, address)
	}
	return who, nil
}

// rehash hashes a password again after it was verified, with the configured bcrypt
// cost, and stores the hash. This makes comparisons take the same time for all
// users. Failures are only logged.
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
		l.log.WarnContext(ctx, "rehashing a password failed", "user", u.Name, "error", err)
	}
}

// Token returns the principal of a bearer token, according to the current database
// row of the token. It returns ErrUnauthenticated if there is no such row or if the
// row does not permit the use of the token, and ErrKeyMissing if this process lacks
// the key that signed the token. Agent is the user agent of the client.
func (l *Login) Token(ctx context.Context, token, address, agent string) (*Principal, error) {
	p, ok := l.signer.parse(token)
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
	if c.Imported { // only the hash is checked
		l.signer.remember(p)
	} else {
		good, err := l.signer.verify(ctx, p, c.SigningKey)
		if err != nil {
			return nil, err
		}
		if !good {
			return nil, ErrUnauthenticated
		}
	}
	l.recorder.used(p.id, c.LastUse.At, Use{At: now, Address: address, Agent: agent})
	return c.Principal(address), nil
}
