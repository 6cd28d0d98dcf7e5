package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/specterd/specterd/internal/clock"
	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// Errors of tokens.
var (
	ErrTokenNotFound    = fault.New(fault.NotFound, "token_not_found", "token not found among your tokens")
	ErrDescriptionTaken = fault.New(fault.Conflict, "description_exists", "one of your tokens has this description already; expired ones count until they are deleted")
	ErrTokenChanged     = fault.New(fault.Conflict, "token_changed", "the token was changed in the meantime, for example rotated; reload the page")
)

// Token is the database row of a token. It does not contain the token's text.
type Token struct {
	ID          string // UUIDv4
	UserID      string
	ParentID    string // id of the token that created it; empty if created with a password
	RotatedFrom string // id of the token that it replaced, or empty
	Description string // unique among the user's tokens
	Hash        [sha256.Size]byte
	SigningKey  string // fingerprint of the key that signed it
	Scopes      Scopes
	Wallets     []string      // ids of the wallets that it is limited to; nil means no limit
	Aliases     []string      // user's aliases of these wallets; filled in by Tokens
	Lifetime    time.Duration // as requested, to the microsecond
	CreatedAt   time.Time
	ExpiresAt   time.Time // whole seconds
	LastUse     Use
	// Imported is set for a token that another program created, whose signature
	// cannot be verified. Only its hash is checked.
	Imported bool
	// Policy is the canonical document of its spending policy, and PolicyID what payments under
	// it are counted for; both are empty for none. They never change, and successors keep them.
	Policy, PolicyID string
}

// RemainingLife returns the time until the token expires, or zero if it has expired.
func (t *Token) RemainingLife(now time.Time) time.Duration { return max(0, t.ExpiresAt.Sub(now)) }

// expiryNotice is the time between the announcement that a token will expire and its expiry.
const expiryNotice = 7 * 24 * time.Hour

// ExpiringAt returns the time at which to announce that a token will expire, if its expiry
// was set at setAt: seven days before the expiry, or after half of the time if that is later.
func ExpiringAt(setAt, expiresAt time.Time) time.Time {
	return expiresAt.Add(-min(expiryNotice, expiresAt.Sub(setAt)/2))
}

// TokenCursor is a position in the list of a user's tokens: after the token with
// this time and id.
type TokenCursor struct {
	CreatedAt time.Time
	ID        string
}

// Rotation describes the replacement of a token, Old, by a successor.
type Rotation struct {
	Old          Token
	OldAncestors []string // nearest first

	// The fields below are set by the callback. Old is deleted if RetireAt is zero.
	// Otherwise it is renamed to RetiredAs, and expires at RetireAt together with
	// its descendants.
	Successor Token
	ByToken   bool // whether the caller used a token instead of a password
	RetiredAs string
	RetireAt  time.Time
	Event     Event
}

// TokenStore stores tokens. Methods that create tokens check the permissions of a
// principal again in the same transaction: see Principal.Confirm.
type TokenStore interface {
	// CreateToken adds a token after checking with Principal.CheckGrant that who
	// may create it. It returns ErrDescriptionTaken, ErrKeyRetired, or
	// ErrUnauthenticated if the user is no longer active or the parent token no
	// longer exists.
	CreateToken(ctx context.Context, who *Principal, t Token, e Event) error
	// TokenOfUser returns ErrTokenNotFound for tokens of other users.
	TokenOfUser(ctx context.Context, userID, id string) (Token, error)
	// TokensOfUser returns up to limit tokens after the cursor, in the order of
	// creation.
	TokensOfUser(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error)
	// DeleteToken calls decide and deletes tokens accordingly, in one transaction.
	// It may call decide more than once. Once it has returned, no reader sees the
	// deleted tokens. CallerID is the id of the caller's token, or empty.
	DeleteToken(ctx context.Context, userID, id, callerID string, decide func(*Deletion) error) error
	// RotateToken calls rotate with one of the caller's tokens and carries out the
	// rotation, in one transaction. It may call rotate more than once. It returns
	// ErrKeyRetired if the successor was signed with a retired key.
	RotateToken(ctx context.Context, who *Principal, id string, rotate func(*Rotation) error) error
	// Memberships returns the wallets of a user.
	Memberships(ctx context.Context, userID string) ([]Membership, error)
}

// Tokens implements the operations of users on their tokens.
type Tokens struct {
	store  TokenStore
	signer *Signer
	now    func() time.Time
	limits TokenLimits
}

// NewTokens returns a Tokens that stores tokens in store and signs them with
// signer.
func NewTokens(store TokenStore, signer *Signer, now func() time.Time) *Tokens {
	return &Tokens{store: store, signer: signer, now: clock.Microseconds(now)}
}

// CreateTokenParams are the parameters of a new token.
type CreateTokenParams struct {
	Description string
	Lifetime    time.Duration // 1 µs to MaxLifetime
	Scopes      Scopes        // if empty, the DefaultScopes that the creator also has
	Wallets     []string      // aliases of the only wallets that it can access; nil means the creator's limit
	AnyLifetime bool          // no maximum lifetime unless an operator set one
	// Policy is its spending policy in canonical form; empty for none. The caller must have
	// compared it with the policies of the creating token and its ancestors.
	Policy string
}

// Create creates a token and returns it with its text, which is not stored. It
// returns an Invalid fault if the description, the lifetime or the wallets are
// invalid, a Forbidden fault if the token would exceed the caller's scopes or
// expiry, and ErrDescriptionTaken if another token of the user has the description.
func (s *Tokens) Create(ctx context.Context, who *Principal, params CreateTokenParams) (Token, string, error) {
	if err := checkDescription(params.Description); err != nil {
		return Token{}, "", err
	}
	if err := s.limits.check(params); err != nil {
		return Token{}, "", err
	}
	scopes, err := grantedScopes(who, params.Scopes)
	if err != nil {
		return Token{}, "", err
	}
	wallets, err := s.grantedWallets(ctx, who, params.Wallets)
	if err != nil {
		return Token{}, "", err
	}
	now := s.now()
	t := Token{
		ID: uuid.NewString(), UserID: who.UserID, ParentID: who.TokenID, Description: params.Description,
		Scopes: scopes, Wallets: wallets, Lifetime: params.Lifetime,
		CreatedAt: now, ExpiresAt: now.Add(params.Lifetime).Truncate(time.Second), Policy: params.Policy,
	}
	if t.Policy != "" {
		t.PolicyID = uuid.NewString()
	}
	if err := checkExpiry(who, t.ExpiresAt); err != nil {
		return Token{}, "", err
	}
	detail := fmt.Sprintf("scopes %s; until %s", t.Scopes, t.ExpiresAt.UTC().Format(time.RFC3339))
	var secret string
	err = s.signing(ctx, func() error {
		var err error
		if secret, err = s.seal(&t, who.UserName); err != nil {
			return err
		}
		return s.store.CreateToken(ctx, who, t, who.Event(now, "token.create", t.ID, detail))
	})
	if err != nil {
		return Token{}, "", err
	}
	t, err = s.withAliases(ctx, t)
	return t, secret, err
}

// maxSignings is the maximum number of attempts to sign a token; another attempt follows
// if the signing key was retired meanwhile.
const maxSignings = 5

// signing calls do, which signs and stores a token. If the signing key was retired
// meanwhile, it reloads the keys and calls do again.
func (s *Tokens) signing(ctx context.Context, do func() error) error {
	if err := s.signer.load(ctx); err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := do()
		if !errors.Is(err, ErrKeyRetired) || attempt == maxSignings {
			return err
		}
		if err := s.signer.Reload(ctx); err != nil {
			return err
		}
	}
}

// seal creates the text of the token t and stores the hash of the text in t.
func (s *Tokens) seal(t *Token, userName string) (string, error) {
	secret, err := s.signer.sign(t, userName)
	if err != nil {
		return "", fmt.Errorf("sign token %s: %w", t.ID, err)
	}
	t.Hash = sha256.Sum256([]byte(secret))
	return secret, nil
}

// Get returns one of the caller's tokens, or ErrTokenNotFound.
func (s *Tokens) Get(ctx context.Context, who *Principal, id string) (Token, error) {
	t, err := s.store.TokenOfUser(ctx, who.UserID, id)
	if err != nil {
		return Token{}, err
	}
	return s.withAliases(ctx, t)
}

// Own returns the caller's token as it was when the request was authorized, or
// ErrTokenNotFound if the caller used a password.
func (s *Tokens) Own(ctx context.Context, who *Principal) (Token, error) {
	if who.token == nil {
		return Token{}, ErrTokenNotFound
	}
	return s.withAliases(ctx, *who.token)
}

// List returns up to limit of the caller's tokens after the cursor, in the order of
// creation.
func (s *Tokens) List(ctx context.Context, who *Principal, after TokenCursor, limit int) ([]Token, error) {
	tokens, err := s.store.TokensOfUser(ctx, who.UserID, after, limit)
	if err != nil {
		return nil, err
	}
	return tokens, s.fillAliases(ctx, who.UserID, tokens)
}

// Rotate replaces one of the caller's tokens by a successor with the same
// description, scopes, wallets and expiry, and returns the successor with its text.
// The old token gets a different description and stays valid for gracePeriod; then
// it expires together with its descendants. If gracePeriod is zero, it is deleted.
//
// A token can rotate itself and its descendants. A caller with a password can
// rotate any of their tokens; this also revokes the successors of earlier rotations
// of the same token that were requested with a token.
func (s *Tokens) Rotate(ctx context.Context, who *Principal, id string, gracePeriod time.Duration) (Token, string, error) {
	return s.rotate(ctx, who, id, gracePeriod, func(*Token) error { return nil })
}

// RotateOnce is like Rotate, but returns ErrTokenChanged if the token has another description
// than the caller knows: a rotation changes the description of the old token, so that a
// request that is sent twice rotates it once.
func (s *Tokens) RotateOnce(ctx context.Context, who *Principal, id, description string, gracePeriod time.Duration) (Token, string, error) {
	return s.rotate(ctx, who, id, gracePeriod, func(old *Token) error {
		if old.Description != description {
			return ErrTokenChanged
		}
		return nil
	})
}

func (s *Tokens) rotate(ctx context.Context, who *Principal, id string, gracePeriod time.Duration, check func(old *Token) error) (Token, string, error) {
	now := s.now()
	var secret string
	var successor Token
	rotate := func(r *Rotation) error {
		old := r.Old
		if err := check(&old); err != nil {
			return err
		}
		if !now.Before(old.ExpiresAt) {
			return fault.New(fault.Conflict, "token_expired", "the token has expired, and so would its successor; create a new token")
		}
		if !who.ByPassword() && who.TokenID != old.ID && !slices.Contains(r.OldAncestors, who.TokenID) {
			return errNotOwnToken
		}
		r.ByToken = !who.ByPassword()
		successor = old
		successor.ID, successor.RotatedFrom = uuid.NewString(), old.ID
		successor.CreatedAt, successor.LastUse, successor.Imported = now, Use{}, false
		var err error
		if secret, err = s.seal(&successor, who.UserName); err != nil {
			return err
		}
		if gracePeriod > 0 {
			r.RetireAt = now.Add(gracePeriod).Truncate(time.Second)
			if r.RetireAt.After(old.ExpiresAt) {
				r.RetireAt = old.ExpiresAt
			}
		}
		r.Successor = successor
		r.RetiredAs = fmt.Sprintf("%s (rotated %s, %.8s)", old.Description, now.UTC().Format(time.RFC3339), old.ID)
		r.Event = who.Event(now, "token.rotate", old.ID, "successor "+successor.ID)
		return nil
	}
	err := s.signing(ctx, func() error { return s.store.RotateToken(ctx, who, id, rotate) })
	if err != nil {
		return Token{}, "", err
	}
	successor, err = s.withAliases(ctx, successor)
	return successor, secret, err
}

// grantedScopes returns the scopes of a new token. It returns a Forbidden fault if
// the requested scopes exceed the caller's.
func grantedScopes(who *Principal, asked Scopes) (Scopes, error) {
	granted := asked
	if asked == 0 {
		granted = DefaultScopes & who.Scopes
	}
	missing := granted &^ who.Scopes
	switch {
	case granted == 0:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "you have none of the default scopes of a token; name the scopes")
	case missing&AdminScopes != 0 && !who.Admin:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "the scopes %s are reserved for admins", missing&AdminScopes).
			WithDetail("required_role", "admin")
	case missing != 0:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "a token cannot create one with more scopes than its own; it lacks %s", missing).
			WithDetail("required_scope", missing.String())
	}
	return granted, nil
}

// grantedWallets converts aliases to wallet ids. It returns an Invalid fault for a
// wallet that the caller is not a member of or that the caller's token excludes. If
// aliases is nil, it returns the caller's own limit, which is nil if there is none.
func (s *Tokens) grantedWallets(ctx context.Context, who *Principal, aliases []string) ([]string, error) {
	if aliases == nil {
		return who.Wallets, nil
	}
	members, err := s.store.Memberships(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(aliases))
	for _, alias := range aliases {
		i := slices.IndexFunc(members, func(m Membership) bool { return m.Alias == alias && who.MaySeeWallet(m.WalletID) })
		if i < 0 {
			return nil, fault.InvalidField("wallets", "contains a wallet that is not among your wallets")
		}
		if !slices.Contains(ids, members[i].WalletID) {
			ids = append(ids, members[i].WalletID)
		}
	}
	return ids, nil
}

func (s *Tokens) withAliases(ctx context.Context, t Token) (Token, error) {
	one := []Token{t}
	err := s.fillAliases(ctx, t.UserID, one)
	return one[0], err
}

// ListOf returns the tokens of a user for an admin. Aliases of wallets are private
// to the user, so they are not filled in.
func (s *Tokens) ListOf(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error) {
	return s.store.TokensOfUser(ctx, userID, after, limit)
}

// FillAliases sets the Aliases of tokens that are sorted by user. It is for the command line.
func (s *Tokens) FillAliases(ctx context.Context, tokens []Token) error {
	for len(tokens) > 0 {
		user := tokens[0].UserID
		end := slices.IndexFunc(tokens, func(t Token) bool { return t.UserID != user })
		if end < 0 {
			end = len(tokens)
		}
		if err := s.fillAliases(ctx, user, tokens[:end]); err != nil {
			return err
		}
		tokens = tokens[end:]
	}
	return nil
}

// fillAliases sets the Aliases of each token that is limited to wallets. It omits
// wallets that the user has left.
func (s *Tokens) fillAliases(ctx context.Context, userID string, tokens []Token) error {
	if !slices.ContainsFunc(tokens, func(t Token) bool { return t.Wallets != nil }) {
		return nil
	}
	members, err := s.store.Memberships(ctx, userID)
	if err != nil {
		return err
	}
	for i := range tokens {
		t := &tokens[i]
		if t.Wallets == nil {
			continue
		}
		t.Aliases = []string{}
		for _, m := range members {
			if slices.Contains(t.Wallets, m.WalletID) {
				t.Aliases = append(t.Aliases, m.Alias)
			}
		}
	}
	return nil
}

func checkExpiry(who *Principal, expiresAt time.Time) error {
	if who.TokenID != "" && expiresAt.After(who.ExpiresAt) {
		return fault.New(fault.Forbidden, "expiry_exceeded", "a token cannot create a token with a later expiry; yours expires at %s",
			who.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// maxDescription is the maximum length of a description in characters. It keeps
// every token below maxTokenBytes, although JSON may use six bytes per character.
const maxDescription = 128

// checkDescription validates the description of a token: 1 to 128 characters that
// text.Problem accepts, and not only spaces.
func checkDescription(description string) error {
	switch {
	case strings.TrimSpace(description) == "":
		return errDescription("is missing or blank")
	case utf8.RuneCountInString(description) > maxDescription:
		return errDescription("must be at most %d characters long", maxDescription)
	}
	if problem := text.Problem(description); problem != "" {
		return errDescription("%s", problem)
	}
	return nil
}

func errDescription(format string, args ...any) error {
	return fault.InvalidField("description", format, args...)
}
