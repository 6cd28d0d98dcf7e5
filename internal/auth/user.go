package auth

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Errors of users.
var (
	ErrUserNotFound = fault.New(fault.NotFound, "user_not_found", "user not found")
	ErrUserExists   = fault.New(fault.Conflict, "user_exists", "a user of this name already exists; names are not case-sensitive")
	ErrLastAdmin    = fault.New(fault.Conflict, "last_admin", "this is the last active admin; make another user an admin first")
	// ErrLastOwner is returned if a user to be deleted is the only owner of a
	// wallet. The message does not name the wallets, because an admin need not be a
	// member of them.
	ErrLastOwner = fault.New(fault.Conflict, "last_owner", "this user is the only owner of some wallets; make other members owners first, or delete the wallets with the user: ?wallets=delete in the API, --delete-wallets at the command line")
)

// FirstAdmin is the name of the admin that is created in a new database.
const FirstAdmin = "admin"

// User is an account with a name and a password.
type User struct {
	ID                string
	Name              string
	PasswordHash      string
	PasswordIsDefault bool // still has the DefaultPassword
	Admin             bool
	DisabledAt        time.Time // zero while active
	CreatedAt         time.Time
	Quotas            Limits // limits set by an admin; the server's limits apply to the other quotas
	// AccessVersion is a number that the database increments whenever the password,
	// the role or the state of the user changes.
	AccessVersion int64
}

// Active reports whether the user may log in.
func (u *User) Active() bool { return u.DisabledAt.IsZero() }

// UserEdit is the argument of the callback of EditUser. It contains the user to
// change, and related changes that are made in the same transaction.
type UserEdit struct {
	User
	// OtherAdmins is the number of other users who are active admins.
	OtherAdmins int
	// SoleWallets are the ids of wallets without another owner.
	SoleWallets []string
	// KeepAccess is set if AccessVersion must not change, because only the hash of
	// the password changes.
	KeepAccess bool
	// KeepSession is the id of a session of the user that stays valid although
	// AccessVersion changes, with the secret whose hash is SessionSecret; empty for none.
	KeepSession   string
	SessionSecret SecretHash
	// DropTokens is set to revoke all tokens of the user.
	DropTokens bool
	// Remove is set to delete the user with all their tokens and memberships, and to
	// queue the removal of their SoleWallets.
	Remove bool
	// Event is the event for the audit log.
	Event Event
}

// UserStore stores users. Methods that change users check the permissions of a
// principal again in the same transaction: see Principal.Confirm.
type UserStore interface {
	QuotaStore
	// CreateUser adds a user. It returns ErrUserExists if the folded name is taken.
	CreateUser(ctx context.Context, who *Principal, u User, e Event) error
	// UserByName returns ErrUserNotFound if the user does not exist.
	UserByName(ctx context.Context, name string) (User, error)
	// ListUsers returns up to limit users whose folded names follow after, in the
	// order of these names.
	ListUsers(ctx context.Context, after string, limit int) ([]User, error)
	// Memberships returns the wallets of a user.
	Memberships(ctx context.Context, userID string) ([]Membership, error)
	// EditUser loads a user, applies edit and saves the result in one transaction,
	// isolated from other changes. It may call edit more than once. It returns
	// ErrUserNotFound if the user does not exist.
	EditUser(ctx context.Context, who *Principal, name string, edit func(*UserEdit) error) (User, error)
}

// Users implements the operations on users.
type Users struct {
	store     UserStore
	passwords *Passwords
	now       func() time.Time
}

// NewUsers returns a Users that stores users in store.
func NewUsers(store UserStore, passwords *Passwords, now func() time.Time) *Users {
	return &Users{store: store, passwords: passwords, now: clock.Microseconds(now)}
}

// Create adds a user. The caller must be authenticated with a password, because
// Create sets one.
func (s *Users) Create(ctx context.Context, who *Principal, name, password string, admin bool) (User, error) {
	if err := who.RequirePassword(); err != nil {
		return User{}, err
	}
	if err := checkNewName(name); err != nil {
		return User{}, err
	}
	// Check the name before the slow hashing.
	if _, err := s.store.UserByName(ctx, name); err == nil {
		return User{}, ErrUserExists
	}
	hashed, err := s.passwords.hashNew(ctx, who.Address, password, name)
	if err != nil {
		return User{}, err
	}
	return s.create(ctx, who, User{Name: name, PasswordHash: hashed, Admin: admin})
}

// CreateFirst adds the first admin of a new database, with the DefaultPassword if
// password is empty or equal to it.
func (s *Users) CreateFirst(ctx context.Context, password string) (User, error) {
	var hashed string
	var err error
	isDefault := password == "" || password == DefaultPassword
	if isDefault {
		hashed, err = s.passwords.hash(ctx, "", DefaultPassword)
	} else {
		hashed, err = s.passwords.hashNew(ctx, "", password, FirstAdmin)
	}
	if err != nil {
		return User{}, err
	}
	return s.create(ctx, Program("first start"), User{
		Name: FirstAdmin, PasswordHash: hashed, PasswordIsDefault: isDefault, Admin: true,
	})
}

func (s *Users) create(ctx context.Context, who *Principal, u User) (User, error) {
	u.ID, u.CreatedAt = uuid.NewString(), s.now()
	return u, s.store.CreateUser(ctx, who, u, who.Event(u.CreatedAt, "user.create", u.Name, roleDetail(u.Admin)))
}

// Get returns a user by name, ignoring case, or ErrUserNotFound.
func (s *Users) Get(ctx context.Context, name string) (User, error) {
	return s.store.UserByName(ctx, name)
}

// QuotaUse returns the limits and the usage of a user.
func (s *Users) QuotaUse(ctx context.Context, u User) ([]QuotaUse, error) {
	return s.store.QuotaUse(ctx, u.ID)
}

// List returns up to limit users whose names follow after, in the order of their
// folded names.
func (s *Users) List(ctx context.Context, after string, limit int) ([]User, error) {
	return s.store.ListUsers(ctx, FoldName(after), limit)
}

// UserChange is an admin's change to a user; nil leaves a field unchanged.
type UserChange struct {
	Password *string
	Admin    *bool
	Disabled *bool
	// Quotas are new limits by quota; a nil value resets a quota to the server's
	// limit.
	Quotas map[Quota]*int64
}

// IsEmpty reports whether the change leaves every field unchanged.
func (c UserChange) IsEmpty() bool {
	return c.Password == nil && c.Admin == nil && c.Disabled == nil && len(c.Quotas) == 0
}

// givesRights reports whether the change gives a user additional permissions.
func (c *UserChange) givesRights() bool {
	return c.Password != nil || c.Admin != nil && *c.Admin
}

// Change applies an admin's change. Setting a password or disabling the user
// revokes all tokens of the user. It returns ErrLastAdmin if no admin would remain,
// and ErrPasswordRequired if the caller used a token to set a password or to grant
// the admin role.
func (s *Users) Change(ctx context.Context, who *Principal, name string, change UserChange) (User, error) {
	if change.givesRights() {
		if err := who.RequirePassword(); err != nil {
			return User{}, err
		}
	}
	var hashed string
	if change.Password != nil {
		u, err := s.store.UserByName(ctx, name)
		if err != nil {
			return User{}, err
		}
		if hashed, err = s.hashNew(ctx, who, u, *change.Password); err != nil {
			return User{}, err
		}
	}
	now := s.now()
	return s.store.EditUser(ctx, who, name, func(u *UserEdit) error {
		did, err := change.apply(u, hashed, now)
		if err != nil {
			return err
		}
		if u.OtherAdmins == 0 && (!u.Admin || !u.Active()) {
			return ErrLastAdmin
		}
		u.Event = who.Event(now, "user.change", u.Name, strings.Join(did, ", "))
		return nil
	})
}

// apply changes u and returns descriptions of the changes for the audit log. Hashed
// is the hash of the new password, if there is one.
func (c *UserChange) apply(u *UserEdit, hashed string, now time.Time) (did []string, err error) {
	if c.Password != nil {
		u.PasswordHash, u.PasswordIsDefault, u.DropTokens = hashed, false, true
		did = append(did, "password reset")
	}
	if c.Admin != nil && *c.Admin != u.Admin {
		u.Admin = *c.Admin
		did = append(did, "role "+roleDetail(u.Admin))
	}
	if c.Disabled != nil && *c.Disabled == u.Active() {
		if *c.Disabled {
			u.DisabledAt, u.DropTokens = now, true
			did = append(did, "disabled")
		} else {
			u.DisabledAt = time.Time{}
			did = append(did, "enabled")
		}
	}
	if len(c.Quotas) > 0 {
		limits, err := u.Quotas.With(c.Quotas)
		if err != nil {
			return nil, err
		}
		u.Quotas = limits
		did = append(did, "quotas "+cmp.Or(limits.String(), "of the server"))
	}
	return did, nil
}

// Delete removes a user with all their tokens. It returns ErrLastAdmin if no admin
// would remain, and ErrLastOwner if wallets would have no owner. If deleteWallets
// is set, it deletes such wallets for all their members instead; this requires a
// password, since tokens for managing users have no permissions in wallets.
func (s *Users) Delete(ctx context.Context, who *Principal, name string, deleteWallets bool) error {
	if deleteWallets {
		if err := who.RequirePassword(); err != nil {
			return err
		}
	}
	now := s.now()
	_, err := s.store.EditUser(ctx, who, name, func(u *UserEdit) error {
		if u.OtherAdmins == 0 && u.Admin {
			return ErrLastAdmin
		}
		detail := ""
		if len(u.SoleWallets) > 0 {
			if !deleteWallets {
				return ErrLastOwner
			}
			detail = "with wallets " + strings.Join(u.SoleWallets, " ")
		}
		u.Remove = true
		u.Event = who.Event(now, "user.delete", u.Name, detail)
		return nil
	})
	return err
}

// RevokeTokens revokes all tokens of a user.
func (s *Users) RevokeTokens(ctx context.Context, who *Principal, name string) error {
	now := s.now()
	_, err := s.store.EditUser(ctx, who, name, func(u *UserEdit) error {
		u.DropTokens = true
		u.Event = who.Event(now, "user.change", u.Name, "tokens revoked")
		return nil
	})
	return err
}

// ChangeOwnPassword sets the password of the caller, who was just authenticated
// with the old one. Their tokens stay valid unless revokeTokens is set; their sessions end.
func (s *Users) ChangeOwnPassword(ctx context.Context, who *Principal, password string, revokeTokens bool) (User, error) {
	return s.changeOwnPassword(ctx, who, password, revokeTokens, func(*UserEdit) {})
}

// ChangePasswordInSession is ChangeOwnPassword for a caller who uses a session and has just
// entered the old password: see Sessions.Prove. The caller's other sessions end, and this
// one continues with a new secret, which it returns.
func (s *Users) ChangePasswordInSession(ctx context.Context, who *Principal, password string, revokeTokens bool) (secret string, err error) {
	if who.SessionID == "" {
		return "", ErrSessionNotFound
	}
	secret, hash := newSecret()
	_, err = s.changeOwnPassword(ctx, who, password, revokeTokens, func(u *UserEdit) { u.KeepSession, u.SessionSecret = who.SessionID, hash })
	if err != nil {
		return "", err
	}
	return secret, nil
}

func (s *Users) changeOwnPassword(ctx context.Context, who *Principal, password string, revokeTokens bool, keep func(*UserEdit)) (User, error) {
	if err := who.RequirePassword(); err != nil {
		return User{}, err
	}
	hashed, err := s.hashNew(ctx, who, User{ID: who.UserID, Name: who.UserName}, password)
	if err != nil {
		return User{}, err
	}
	now := s.now()
	detail := "password"
	if revokeTokens {
		detail = "password, tokens revoked"
	}
	return s.store.EditUser(ctx, who, who.UserName, func(u *UserEdit) error {
		if !u.Active() || u.ID != who.UserID {
			return ErrUnauthenticated
		}
		u.PasswordHash, u.PasswordIsDefault, u.DropTokens = hashed, false, revokeTokens
		keep(u)
		u.Event = who.Event(now, "user.change", u.Name, detail)
		return nil
	})
}

// HasPassword reports whether the named user has this password. Unlike a login, it
// is not throttled; it is only for the start of the program.
func (s *Users) HasPassword(ctx context.Context, name, password string) (bool, error) {
	u, err := s.store.UserByName(ctx, name)
	if err != nil {
		return false, err
	}
	return s.passwords.matches(ctx, "", u.PasswordHash, password, func() error { return nil })
}

// hashNew checks a new password for the user u and returns its hash.
func (s *Users) hashNew(ctx context.Context, who *Principal, u User, password string) (string, error) {
	wallets, err := s.store.Memberships(ctx, u.ID)
	if err != nil {
		return "", err
	}
	words := []string{u.Name}
	for _, w := range wallets {
		words = append(words, w.Name, w.Alias)
	}
	return s.passwords.hashNew(ctx, who.Address, password, words...)
}

func roleDetail(admin bool) string {
	if admin {
		return "admin"
	}
	return "user"
}

// FoldName returns the form of a user name that is used to compare names. Names that
// differ only in case, or in the encoding of an accent, have the same form.
func FoldName(name string) string {
	return norm.NFC.String(cases.Fold().String(norm.NFC.String(name)))
}

const maxUserName = 64

// reservedName refers to the caller in API paths, so a new user cannot have it.
const reservedName = "me"

// checkNewName validates the name of a new user. Existing users may have names that
// only CheckUserName accepts.
func checkNewName(name string) error {
	if strings.EqualFold(name, reservedName) {
		return fault.InvalidField("name", "is reserved")
	}
	if problem := text.NameProblem(name); problem != "" { // CheckUserName accepts such names, since an existing user may have one
		return fault.InvalidField("name", "%s", problem)
	}
	return CheckUserName("name", name)
}

// CheckUserName validates a user name: 1 to 64 printable characters, without the
// colon that ends a name in Basic credentials (RFC 7617) and without leading or
// trailing spaces. It returns a fault about a field of the request.
func CheckUserName(field, name string) error {
	runes := utf8.RuneCountInString(name)
	switch {
	case !utf8.ValidString(name):
		return fault.InvalidField(field, "must be UTF-8 text")
	case runes == 0 || runes > maxUserName:
		return fault.InvalidField(field, "must be 1 to %d characters long", maxUserName)
	case strings.Contains(name, ":"):
		return fault.InvalidField(field, "must not contain a colon")
	case strings.TrimSpace(name) != name:
		return fault.InvalidField(field, "must not begin or end with a space")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fault.InvalidField(field, "must not contain unprintable characters")
	}
	return nil
}
