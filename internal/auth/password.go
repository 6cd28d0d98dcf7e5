package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/specterd/specterd/internal/fault"
)

// DefaultPassword is the password of the first admin unless another one was given.
// While a user has it, specterd listens on loopback only.
const DefaultPassword = "admin"

const (
	// MinPasswordLength is the minimum length in characters of a new password.
	MinPasswordLength = 8
	// maxPasswordBytes is the limit of bcrypt, which ignores all bytes after it.
	maxPasswordBytes = 72
)

// checkNewPassword validates a new password, except for its strength. There are no
// rules about character classes. Existing and imported passwords are not checked.
func checkNewPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPasswordLength:
		return errPassword("must be at least %d characters long; 15 or more are better", MinPasswordLength)
	case len(password) > maxPasswordBytes:
		return errPassword("must be at most %d bytes long, because bcrypt ignores the rest", maxPasswordBytes)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return errPassword("must be UTF-8 text without NUL")
	}
	return nil
}

func errPassword(format string, args ...any) error {
	return fault.InvalidField("password", format, args...)
}

// Passwords hashes and compares passwords with bcrypt. Hashing is slow on purpose,
// so only a few passwords are processed at a time, to leave processors to other
// requests.
type Passwords struct {
	cost  int
	gate  *gate
	known []string // words that an attacker tries first
	dummy []byte   // hash to compare with for unknown users, so that their logins take as long as others

	dummyRounds int // PBKDF2 rounds of passwords that were not imported; see comparison
	observe     func(HashOperation)
}

// HashOperation is one use of a hash function for a password. Its effort determines how long it
// takes.
type HashOperation struct {
	Function string // bcrypt or PBKDF2
	Effort   int    // the cost of bcrypt, or the rounds of PBKDF2
}

// NewPasswords returns Passwords that use the given bcrypt cost, 4 to 31, and at
// most max(1, processors−1) processors at once.
func NewPasswords(cost, processors int) (*Passwords, error) {
	// No password matches this hash; comparing with it takes as long as with any
	// other hash of this cost.
	dummy := fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53))
	if got, err := bcrypt.Cost(dummy); err != nil || got != cost {
		return nil, fmt.Errorf("invalid bcrypt cost %d", cost)
	}
	return &Passwords{cost: cost, gate: newGate(max(1, processors-1)), dummy: dummy, dummyRounds: specterRounds, observe: func(HashOperation) {}}, nil
}

// WithDummyRounds replaces the number of PBKDF2 rounds with which logins of users who
// were not imported take as long as others, and returns p. It is for tests that do not
// count hash operations, in which these rounds took a quarter of the CPU time.
func (p *Passwords) WithDummyRounds(rounds int) *Passwords {
	p.dummyRounds = rounds
	return p
}

// WithObserver makes p call observe after each hash operation, before the function that caused it
// returns, and returns p. It is for tests that check that refused logins take the same time.
func (p *Passwords) WithObserver(observe func(HashOperation)) *Passwords {
	p.observe = observe
	return p
}

// AddKnownWords adds words, such as this host's names, that passwords must not
// consist of. It must be called before p is used.
func (p *Passwords) AddKnownWords(words ...string) { p.known = append(p.known, words...) }

// hash returns the bcrypt hash of a password. The caller must have checked its
// length.
func (p *Passwords) hash(ctx context.Context, address, password string) (string, error) {
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return "", err
	}
	defer leave()
	return p.generate(password)
}

func (p *Passwords) generate(password string) (string, error) {
	hashed, err := bcrypt.GenerateFromPassword([]byte(password), p.cost)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	p.observe(HashOperation{"bcrypt", p.cost})
	return string(hashed), nil
}

// Try hashes a sample password, so that the caller can measure how long a login takes.
func (p *Passwords) Try(ctx context.Context) error {
	_, err := p.hash(ctx, "", "a password of no one")
	return err
}

// hashNew checks a new password and returns its hash. Words are texts related to
// the user, which the password must not consist of.
func (p *Passwords) hashNew(ctx context.Context, address, password string, words ...string) (string, error) {
	if err := checkNewPassword(password); err != nil {
		return "", err
	}
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return "", err
	}
	defer leave()
	if weakness := weaknessOf(password, slices.Concat(p.known, words)); weakness != "" { // this check may take as long as hashing
		return "", errPassword("is too easy to guess: %s; choose a longer passphrase, such as four random words", weakness)
	}
	return p.generate(password)
}

// matches reports whether hashed is a hash of password. If hashed is empty, it
// returns false after the same time as for a wrong password; imported passwords
// also take the same time as others. It calls admit when the comparison leaves the
// queue, and returns its error, if any, without comparing.
func (p *Passwords) matches(ctx context.Context, address, hashed, password string, admit func() error) (bool, error) {
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return false, err
	}
	defer leave()
	if err := admit(); err != nil {
		return false, err
	}
	against, secret, err := p.comparison(hashed, password)
	if err != nil {
		return false, err
	}
	if against == nil {
		hashed, against = "", p.dummy
	}
	good, err := p.compare(against, secret)
	return good && hashed != "", err
}

// compare reports whether hashed is the bcrypt hash of password.
func (p *Passwords) compare(hashed, password []byte) (bool, error) {
	err := bcrypt.CompareHashAndPassword(hashed, password)
	if err != nil && !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) { // the hash is invalid
		return false, fmt.Errorf("compare a password: %w", err)
	}
	cost, _ := bcrypt.Cost(hashed) // fails for an invalid hash only
	p.observe(HashOperation{"bcrypt", cost})
	return err == nil, nil
}

// outdated reports whether the hash has a bcrypt cost other than the configured one.
func (p *Passwords) outdated(hashed string) bool {
	_, hashed = splitHash(hashed)
	cost, err := bcrypt.Cost([]byte(hashed))
	return err == nil && cost != p.cost
}
