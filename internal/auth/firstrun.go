package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/netip"
	"strings"
	"unicode"

	"github.com/specterd/specterd/internal/fault"
)

// Errors of FirstRun.
var (
	// ErrFirstRunDone is returned if the first admin has a password already.
	ErrFirstRunDone = fault.New(fault.Conflict, "password_set", "the password of the first admin has been set already; sign in with it, or reset it with: specterd user set %s --password", FirstAdmin)
	// ErrSetupCode is returned for a wrong or missing setup code.
	ErrSetupCode = fault.InvalidAs("wrong_setup_code", "code", "is wrong; the server wrote it to its log when it started, and each start creates another one")
)

// FirstRun sets the password of the first admin in the console while it is the
// DefaultPassword. It does so once; from then on, only the usual ways remain.
type FirstRun struct {
	users *Users
	login *Login
	local bool
	code  string
}

// NewSetupCode returns a random setup code of 130 bits.
func NewSetupCode() string { return rand.Text() }

// NewFirstRun returns a FirstRun that limits attempts as login does. Local is set if only
// clients on this machine can reach the server: those need no code, because they could sign
// in with the DefaultPassword. All others must know the code; if it is empty, they are
// refused.
func NewFirstRun(users *Users, login *Login, local bool, code string) *FirstRun {
	return &FirstRun{users: users, login: login, local: local, code: foldCode(code)}
}

// Pending reports whether the first admin still has the DefaultPassword.
func (f *FirstRun) Pending(ctx context.Context) (bool, error) {
	_, err := f.admin(ctx)
	if errors.Is(err, ErrFirstRunDone) {
		return false, nil
	}
	return err == nil, err
}

// admin returns the first admin, or ErrFirstRunDone unless this user is active and has the
// DefaultPassword.
func (f *FirstRun) admin(ctx context.Context) (User, error) {
	u, err := f.users.Get(ctx, FirstAdmin)
	if errors.Is(err, ErrUserNotFound) || err == nil && !u.awaitsPassword() {
		return User{}, ErrFirstRunDone
	}
	return u, err
}

func (u *User) awaitsPassword() bool { return u.Admin && u.Active() && u.PasswordIsDefault }

// NeedsCode reports whether a client with this address must know the setup code.
func (f *FirstRun) NeedsCode(address string) bool {
	ip, err := netip.ParseAddr(address)
	return !f.local || err != nil || !ip.Unmap().IsLoopback()
}

// Set sets the password of the first admin, to which the rules of new passwords apply. Only
// one of several calls succeeds; the others return ErrFirstRunDone. It returns ErrSetupCode,
// or ErrTooManyFailures after too many wrong codes from an address.
func (f *FirstRun) Set(ctx context.Context, code, password, address string) error {
	admin, err := f.admin(ctx)
	if err != nil {
		return err
	}
	if f.NeedsCode(address) {
		if err := f.checkCode(code, admin, address); err != nil {
			return err
		}
	}
	who := Program("first run")
	who.Address = address
	hashed, err := f.users.hashNew(ctx, who, admin, password)
	if err != nil {
		return err
	}
	now := f.users.now()
	_, err = f.users.store.EditUser(ctx, who, FirstAdmin, func(u *UserEdit) error {
		if u.ID != admin.ID || !u.awaitsPassword() {
			return ErrFirstRunDone
		}
		u.PasswordHash, u.PasswordIsDefault = hashed, false
		u.Event = who.Event(now, "user.change", u.Name, "first password")
		return nil
	})
	if errors.Is(err, ErrUserNotFound) {
		return ErrFirstRunDone
	}
	return err
}

// setupUser is the name for which the throttle counts wrong codes. No user can have it,
// because of the colon.
const setupUser = "setup:code"

func (f *FirstRun) checkCode(code string, admin User, address string) error {
	key, now := loginKey{user: setupUser, origin: originOf(address)}, f.login.now()
	if err := f.login.throttle.check(key, now); err != nil {
		return err
	}
	if f.code != "" && subtle.ConstantTimeCompare([]byte(foldCode(code)), []byte(f.code)) == 1 {
		f.login.throttle.proved(key, now)
		return nil
	}
	f.login.throttle.failed(key, now)
	e := (&Principal{Address: address}).Event(now, "login", admin.Name, "setup code")
	e.Outcome = outcomeRefused
	f.login.recorder.login(e, admin.ID)
	return ErrSetupCode
}

// foldCode removes what people add to a code when they copy it.
func foldCode(code string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '-' {
			return -1
		}
		return unicode.ToUpper(r)
	}, code)
}
