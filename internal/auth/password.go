package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"

	"github.com/specterd/specterd/internal/fault"
)

// DefaultPassword is what the first admin has who was given no other. specterd
// then listens on loopback only.
const DefaultPassword = "admin"

const (
	// MinPasswordBytes is how long a password has to be that is set here.
	MinPasswordBytes = 8
	// maxPasswordBytes is where bcrypt stops reading: it takes a password of 72
	// bytes with anything appended for the same.
	maxPasswordBytes = 72
)

// commonPasswords are passwords of at least eight bytes that every guesser
// tries first, in lower case.
var commonPasswords = strings.Fields(`
	12345678 123456789 1234567890 0123456789 11111111 00000000 88888888 87654321 123123123
	password password1 password12 password123 passw0rd p@ssw0rd qwertyui qwertyuiop qwerty123
	1qaz2wsx 1q2w3e4r 1q2w3e4r5t asdfghjkl zxcvbnm1 iloveyou sunshine princess football
	baseball superman trustno1 letmein1 welcome1 changeme changeit adminadmin admin123 admin1234
	administrator rootroot bitcoin1 satoshi1 satoshinakamoto specter1 specterd nakamoto hodlhodl
	abcd1234 abc12345 aaaaaaaa computer whatever starwars internet secret123 somepassword`)

// checkNewPassword is the rule for passwords that are set here. Old ones that
// were brought along keep working whatever they are.
func checkNewPassword(password string) error {
	switch {
	case len(password) < MinPasswordBytes:
		return errPassword("has to be at least %d characters long", MinPasswordBytes)
	case len(password) > maxPasswordBytes:
		return errPassword("is longer than %d bytes, which is all that bcrypt reads", maxPasswordBytes)
	case !utf8.ValidString(password) || strings.ContainsRune(password, 0):
		return errPassword("has to be UTF-8 text without NUL")
	}
	for _, common := range commonPasswords {
		if strings.EqualFold(password, common) {
			return errPassword("is one of the commonest; choose another")
		}
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
	dummy []byte // compared against where there is no user, so that it takes as long
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

// hash returns bcrypt's hash. The caller checked the password's length.
func (p *Passwords) hash(ctx context.Context, address, password string) (string, error) {
	leave, err := p.gate.enter(ctx, address)
	if err != nil {
		return "", err
	}
	defer leave()
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

// hashNew returns the hash of a password that is about to be set.
func (p *Passwords) hashNew(ctx context.Context, address, password string) (string, error) {
	if err := checkNewPassword(password); err != nil {
		return "", err
	}
	return p.hash(ctx, address, password)
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
