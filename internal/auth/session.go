package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
)

// The limits of sessions. The view v_sessions contains SessionLifetime and SessionIdle as
// well.
const (
	// SessionLifetime is the time after which a session ends even if it is in use.
	SessionLifetime = 12 * time.Hour
	// SessionIdle is the time without requests after which a session ends.
	SessionIdle = 30 * time.Minute
	// ProofLifetime is the time after which the user of a session must enter the password
	// again, for actions that require it.
	ProofLifetime = 10 * time.Minute
	// MaxSessions is the maximum number of sessions of a user. A further one ends the oldest.
	MaxSessions = 50
)

// Errors of sessions.
var (
	// ErrSessionNotFound is returned for an id that is not among the user's sessions.
	ErrSessionNotFound = fault.New(fault.NotFound, "session_not_found", "session not found among your sessions; it may have ended")
	// ErrProofRequired is returned to a session whose user has not entered the password
	// within ProofLifetime, if an action requires that.
	ErrProofRequired = fault.New(fault.Forbidden, "proof_required", "enter your password again; this action requires that you entered it within the last %d minutes",
		int(ProofLifetime.Minutes()))
	// ErrWrongPassword is returned by Prove if the session is valid and the password wrong.
	ErrWrongPassword = fault.InvalidAs("wrong_password", "password", "is wrong")

	errSessionEnded = ErrUnauthenticated.WithMessage("the session has ended; sign in again")
)

// Session is a session of the web console. It does not contain the secret.
type Session struct {
	ID         string // public, UUIDv4; stays the same when the secret is replaced
	UserID     string
	UserName   string
	CreatedAt  time.Time
	LastSeenAt time.Time // of the last request, to the minute
	ProvedAt   time.Time // when the user last entered the password
	Address    string    // of the last request, to the minute, as the Agent
	Agent      string
	// DefaultPassword is set while the user has the default password.
	DefaultPassword bool
	// AccessVersion is the user's when the session was created. The session ends when the
	// user's changes.
	AccessVersion int64
}

// at returns now or, if the clock was set back since the last request, the time of that
// request, so that the age of the session does not decrease.
func (s *Session) at(now time.Time) time.Time {
	if now.Before(s.LastSeenAt) {
		return s.LastSeenAt
	}
	return now
}

// Expired reports whether the session has reached one of its limits.
func (s *Session) Expired(now time.Time) bool {
	now = s.at(now)
	return now.Sub(s.CreatedAt) >= SessionLifetime || now.Sub(s.LastSeenAt) >= SessionIdle
}

// ProvedWithin reports whether the user has entered the password within ProofLifetime.
func (s *Session) ProvedWithin(now time.Time) bool { return s.at(now).Sub(s.ProvedAt) < ProofLifetime }

// Seen is a request of a session.
type Seen struct {
	At      time.Time
	Address string
	Agent   string
	// Shift is the time by which the clock was set back since the last request. The other
	// times of the session are set back by it, so that its age is right.
	Shift time.Duration
}

// apply changes s as the store changes its row.
func (s *Session) apply(seen Seen) {
	s.CreatedAt, s.ProvedAt = s.CreatedAt.Add(-seen.Shift), s.ProvedAt.Add(-seen.Shift)
	s.LastSeenAt, s.Address, s.Agent = seen.At, seen.Address, seen.Agent
}

// SecretHash is the SHA-256 of a session's secret.
type SecretHash [sha256.Size]byte

// secretBytes is the length of a session's secret.
const secretBytes = 32

// newSecret returns the secret of a session, for a cookie, and its hash.
func newSecret() (string, SecretHash) {
	random := make([]byte, secretBytes)
	_, _ = rand.Read(random) // never fails
	return base64.RawURLEncoding.EncodeToString(random), sha256.Sum256(random)
}

// hashSecret returns the hash of a secret, or false for text that is not a secret.
func hashSecret(secret string) (hash SecretHash, ok bool) {
	if len(secret) != base64.RawURLEncoding.EncodedLen(secretBytes) {
		return hash, false
	}
	random, err := base64.RawURLEncoding.Strict().DecodeString(secret)
	if err != nil || len(random) != secretBytes {
		return hash, false
	}
	return sha256.Sum256(random), true
}

// SessionStore stores sessions.
type SessionStore interface {
	// CreateSession adds a session after confirming who, the principal of its user, and
	// deletes the oldest sessions of the user beyond MaxSessions.
	CreateSession(ctx context.Context, who *Principal, s Session, hash SecretHash, e Event) error
	// SessionBySecret returns the current rows of a session and its user, including changes
	// that another process has just committed, or ErrSessionNotFound.
	SessionBySecret(ctx context.Context, hash SecretHash) (*Credential, error)
	// TouchSession records a request of s, unless another request has been recorded since
	// s was read.
	TouchSession(ctx context.Context, s Session, seen Seen) error
	// ProveSession replaces the secret of s and sets ProvedAt, after confirming who, the
	// principal of the password. It returns ErrSessionNotFound if the secret was replaced
	// before.
	ProveSession(ctx context.Context, who *Principal, s Session, before, after SecretHash, seen Seen) error
	// SessionsOfUser returns all sessions of a user, newest first, as credentials.
	SessionsOfUser(ctx context.Context, userID string) ([]*Credential, error)
	// DeleteSession returns ErrSessionNotFound for sessions of other users.
	DeleteSession(ctx context.Context, userID, id string, e Event) error
	// DeleteOtherSessions deletes the sessions of a user except the one with the id kept,
	// and returns how many of them had not ended. Event is called with that number.
	DeleteOtherSessions(ctx context.Context, userID, kept string, event func(n int) Event) (int, error)
}

// Sessions implements the sessions of the web console. A session belongs to a user who
// entered the password, and ends with the first of: the limits above, the deletion of its
// row, and any change of the user's password, role or state.
type Sessions struct {
	log   *slog.Logger
	store SessionStore
	login *Login
	now   func() time.Time

	steady func() time.Duration // by a clock that cannot be set
	mu     sync.Mutex
	marks  map[string]mark // by session id
}

// mark is the steady time at which this process first read a session with this LastSeenAt.
type mark struct {
	lastSeen time.Time
	at       time.Duration
}

// maxMarks is the maximum number of marks. Beyond it, they are dropped; then the time of
// sessions follows only the clock until their next request.
const maxMarks = 10_000

// NewSessions returns a Sessions that compares passwords with login.
func NewSessions(log *slog.Logger, store SessionStore, login *Login, now func() time.Time) *Sessions {
	return &Sessions{log: log, store: store, login: login, now: clock.Microseconds(now), steady: clock.Steady, marks: map[string]mark{}}
}

// WithSteady replaces the clock that cannot be set, and returns s. It is for tests.
func (s *Sessions) WithSteady(steady func() time.Duration) *Sessions {
	s.steady = steady
	return s
}

// timeOf returns the time that counts for a session: now or, if the clock was set back, the
// time of the last request plus the steady time since then.
func (s *Sessions) timeOf(one *Session, now time.Time) time.Time {
	if passed := one.LastSeenAt.Add(s.passed(one)); passed.After(now) {
		return passed
	}
	return now
}

// passed returns the steady time since this process first knew a session with this
// LastSeenAt.
func (s *Sessions) passed(one *Session) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.marks[one.ID]
	if !ok || !m.lastSeen.Equal(one.LastSeenAt) {
		if len(s.marks) >= maxMarks {
			clear(s.marks)
		}
		m = mark{one.LastSeenAt, s.steady()}
		s.marks[one.ID] = m
	}
	return (s.steady() - m.at).Truncate(time.Microsecond)
}

// seen returns a request of a session.
func (s *Sessions) seen(one *Session, now time.Time, address, agent string) Seen {
	return Seen{At: now, Address: address, Agent: printable(agent), Shift: s.timeOf(one, now).Sub(now)}
}

// Start compares a password with Login.Password, whose errors it returns, and begins a
// session. Secret identifies the session in later requests. It is always new, whatever the
// client sent, and is not stored.
func (s *Sessions) Start(ctx context.Context, name, password, address, agent string) (secret string, who *Principal, err error) {
	user, err := s.login.Password(ctx, name, password, address)
	if err != nil {
		return "", nil, err
	}
	now := s.now()
	one := Session{
		ID: uuid.NewString(), UserID: user.UserID, UserName: user.UserName, AccessVersion: user.accessVersion,
		CreatedAt: now, LastSeenAt: now, ProvedAt: now, Address: address, Agent: printable(agent),
	}
	secret, hash := newSecret()
	if err := s.store.CreateSession(ctx, user, one, hash, user.Event(now, "session.create", one.ID, one.Agent)); err != nil {
		return "", nil, err
	}
	s.passed(&one) // begins to count
	c := &Credential{Token: Token{UserID: user.UserID}, UserName: user.UserName, Admin: user.Admin, Active: true, AccessVersion: user.accessVersion, Session: &one}
	return secret, c.principalAt(address, now), nil
}

// Resume returns the session with this secret and its principal, according to the current
// database rows, or ErrUnauthenticated if there is no such session or it has ended.
func (s *Sessions) Resume(ctx context.Context, secret, address, agent string) (*Session, *Principal, error) {
	now := s.now()
	c, _, err := s.find(ctx, secret, now)
	if err != nil {
		return nil, nil, err
	}
	one := *c.Session
	if seen := s.seen(&one, now, address, agent); max(now.Sub(one.LastSeenAt), seen.Shift) >= usePrecision {
		if err := s.store.TouchSession(ctx, one, seen); err != nil { // the session is valid, but may end too early
			s.log.WarnContext(ctx, "recording the last request of a session failed", "user_id", one.UserID, "error", err)
		}
		one.apply(seen)
		s.passed(&one) // begins to count
	}
	c.Session = &one
	return &one, c.principalAt(address, now), nil
}

// Peek is like Resume, but does not count as a request of the user: a page that refreshes
// without a user does not keep the session open.
func (s *Sessions) Peek(ctx context.Context, secret, address string) (*Session, *Principal, error) {
	now := s.now()
	c, _, err := s.find(ctx, secret, now)
	if err != nil {
		return nil, nil, err
	}
	return c.Session, c.principalAt(address, now), nil
}

// find returns the credential of the session with this secret, and the hash of the secret.
func (s *Sessions) find(ctx context.Context, secret string, now time.Time) (*Credential, SecretHash, error) {
	hash, ok := hashSecret(secret)
	if !ok {
		return nil, hash, errSessionEnded
	}
	c, err := s.store.SessionBySecret(ctx, hash)
	switch {
	case errors.Is(err, ErrSessionNotFound):
		return nil, hash, errSessionEnded
	case err != nil:
		return nil, hash, err
	case !c.sessionValid(s.timeOf(c.Session, now)):
		return nil, hash, errSessionEnded
	}
	return c, hash, nil
}

// Prove compares the password of the session's user and replaces the secret: the previous
// one is invalid from then on. It returns ErrUnauthenticated if the session has ended,
// ErrWrongPassword, or another error of Login.Password.
func (s *Sessions) Prove(ctx context.Context, secret, password, address, agent string) (newOne string, err error) {
	c, before, err := s.find(ctx, secret, s.now())
	if err != nil {
		return "", err
	}
	user, err := s.login.Password(ctx, c.UserName, password, address)
	if errors.Is(err, ErrUnauthenticated) {
		if _, _, err := s.find(ctx, secret, s.now()); err != nil { // such as of a user who was disabled
			return "", err
		}
		return "", ErrWrongPassword
	}
	if err != nil {
		return "", err
	}
	if user.UserID != c.UserID || user.accessVersion != c.Session.AccessVersion {
		return "", errSessionEnded
	}
	newOne, after := newSecret()
	one := *c.Session
	seen := s.seen(&one, s.now(), address, agent)
	err = s.store.ProveSession(ctx, user, one, before, after, seen)
	switch {
	case errors.Is(err, ErrSessionNotFound):
		return "", errSessionEnded
	case err != nil:
		return "", err
	}
	one.apply(seen)
	s.passed(&one) // begins to count
	return newOne, nil
}

// End ends the session with this secret. It has no effect if there is none.
func (s *Sessions) End(ctx context.Context, secret string) error {
	c, _, err := s.find(ctx, secret, s.now())
	if errors.Is(err, ErrUnauthenticated) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.Delete(ctx, c.Principal(c.Session.Address), c.Session.ID)
	if errors.Is(err, ErrSessionNotFound) {
		return nil
	}
	return err
}

// List returns the caller's sessions that have not ended, newest first.
func (s *Sessions) List(ctx context.Context, who *Principal) ([]Session, error) {
	all, err := s.store.SessionsOfUser(ctx, who.UserID)
	return ValidSessions(all, s.now()), err
}

// ValidSessions returns the sessions that have not ended.
func ValidSessions(all []*Credential, now time.Time) []Session {
	valid := []Session{}
	for _, c := range all {
		if c.sessionValid(now) {
			valid = append(valid, *c.Session)
		}
	}
	return valid
}

// Delete ends one of the caller's sessions, or returns ErrSessionNotFound. Once it has
// returned, all processes reject the session.
func (s *Sessions) Delete(ctx context.Context, who *Principal, id string) error {
	return s.store.DeleteSession(ctx, who.UserID, id, who.Event(s.now(), "session.delete", id, ""))
}

// DeleteOthers ends the caller's sessions except the one that the caller uses, and returns
// their number.
func (s *Sessions) DeleteOthers(ctx context.Context, who *Principal) (int, error) {
	return s.store.DeleteOtherSessions(ctx, who.UserID, who.SessionID, func(n int) Event {
		return who.Event(s.now(), "session.delete", who.UserName, fmt.Sprintf("%d sessions", n))
	})
}

// sessionValid reports whether the session in c has not ended, according to the database
// rows in c.
func (c *Credential) sessionValid(now time.Time) bool {
	return c.Session != nil && c.Session.UserID == c.UserID && c.Active && c.AccessVersion == c.Session.AccessVersion && !c.Session.Expired(now)
}
