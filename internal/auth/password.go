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

// DefaultPassword is what the first admin has who was given no other. specterd
// then listens on loopback only.
const DefaultPassword = "admin"

const (
	// MinPasswordLength is how many characters a password that is set here must have.
	MinPasswordLength = 8
	// maxPasswordBytes is where bcrypt stops reading: it takes a password of 72
	// bytes with anything appended for the same.
	maxPasswordBytes = 72
)

// checkNewPassword is the rule for passwords that are set here, but for how easy
// they are to guess. There is no rule about kinds of characters. Existing passwords
// and imported ones are not checked.
func checkNewPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < MinPasswordLength:
		return errPassword("must be at least %d characters long; 15 or more are better", MinPasswordLength)
	case len(password) > maxPasswordBytes:
		return errPassword("must not be longer than %d bytes, because bcrypt reads no more", maxPasswordBytes)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return errPassword("must be UTF-8 text without NUL")
	}
	return nil
}

func errPassword(format string, args ...any) error {
	return fault.InvalidField("password", format, args...)
}

// Passwords hashes and compares passwords with bcrypt, few at a time: hashing
// is slow on purpose, and must not take the processor from other requests.
type Passwords struct {
	cost  int
	gate  *gate
	known []string // words that an attacker tries first
	dummy []byte   // compared against where there is no user, so that it takes as long
}

// NewPasswords returns Passwords with bcrypt's cost, 4 to 31, that hash on at
// most max(1, processors−1) processors at once.
func NewPasswords(cost, processors int) (*Passwords, error) {
	// A hash that no password has: comparing with it takes the time that the
	// cost says, as with any other.
	dummy := fmt.Appendf(nil, "$2a$%02d$%s", cost, strings.Repeat(".", 53))
	if got, err := bcrypt.Cost(dummy); err != nil || got != cost {
		return nil, fmt.Errorf("bcrypt has no cost %d", cost)
	}
	return &Passwords{cost: cost, gate: newGate(max(1, processors-1)), dummy: dummy}, nil
}

// AddKnownWords adds words, such as the names of this host, that passwords must
// not consist of. It must be called before p is used.
func (p *Passwords) AddKnownWords(words ...string) { p.known = append(p.known, words...) }

// hash returns bcrypt's hash. The caller checked the password's length.
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
	return string(hashed), nil
}

// Try hashes a password of no one, for those who want to know how long a login takes.
func (p *Passwords) Try(ctx context.Context) error {
	_, err := p.hash(ctx, "", "a password of no one")
	return err
}

// hashNew returns the hash of a password that is about to be set; words are known
// of its user.
func (p *Passwords) hashNew(ctx context.Context, address, password string, words ...string) (string, error) {
	if err := checkNewPassword(password); err != nil {
		return "", err
	}
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return "", err
	}
	defer leave()
	if weakness := weaknessOf(password, slices.Concat(p.known, words)); weakness != "" { // may take as long as hashing
		return "", errPassword("is too easy to guess: %s; choose a longer passphrase, such as four random words", weakness)
	}
	return p.generate(password)
}

// matches reports whether password is the one that hashed was made from. It
// takes as long without a hash as with one, and is false then; and as long for
// a password that was brought along as for one that was set here. Admit is asked
// once it is this comparison's turn, and may still refuse it.
func (p *Passwords) matches(ctx context.Context, address, hashed, password string, admit func() error) (bool, error) {
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return false, err
	}
	defer leave()
	if err := admit(); err != nil {
		return false, err
	}
	against, secret, err := comparison(hashed, password)
	if err != nil {
		return false, err
	}
	if against == nil {
		hashed, against = "", p.dummy
	}
	err = bcrypt.CompareHashAndPassword(against, secret)
	switch {
	case err == nil:
		return hashed != "", nil
	case errors.Is(err, bcrypt.ErrMismatchedHashAndPassword):
		return false, nil
	}
	return false, fmt.Errorf("compare a password: %w", err)
}

// outdated reports whether the hash was made with another cost than is set now.
func (p *Passwords) outdated(hashed string) bool {
	_, hashed = splitHash(hashed)
	cost, err := bcrypt.Cost([]byte(hashed))
	return err == nil && cost != p.cost
}
