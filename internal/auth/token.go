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

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/text"
)

// What can be wrong with a token.
var (
	ErrTokenNotFound    = fault.New(fault.NotFound, "token_not_found", "there is no such token among yours")
	ErrDescriptionTaken = fault.New(fault.Conflict, "description_taken", "one of your tokens has this description already; expired ones count until they are deleted")
)

// Token is what is kept of a token: all but the token itself.
type Token struct {
	ID          string // UUIDv4
	UserID      string
	ParentID    string // the token that it was made with; empty for a password
	RotatedFrom string // the id of its predecessor; empty without one
	Description string // unique among the user's tokens
	Hash        [sha256.Size]byte
	SigningKey  string // the fingerprint of the key that it was signed with
	Scopes      Scopes
	Wallets     []string      // the ids of the only wallets it is for; nil without a limit
	Aliases     []string      // what the user calls these; filled by Tokens
	Lifetime    time.Duration // as asked for, to the microsecond
	CreatedAt   time.Time
	ExpiresAt   time.Time // whole seconds
	LastUse     Use
	// Imported is set for a token that was made elsewhere, whose signature cannot
	// be verified here. It is accepted by its hash alone.
	Imported bool
}

// RemainingLife is how long the token still lives; zero when it has expired.
func (t *Token) RemainingLife(now time.Time) time.Duration { return max(0, t.ExpiresAt.Sub(now)) }

// TokenCursor is a place in the list of a user's tokens: behind the token of
// this time and id.
type TokenCursor struct {
	CreatedAt time.Time
	ID        string
}

// Rotation is a token in the middle of being replaced.
type Rotation struct {
	Old          Token
	OldAncestors []string // nearest first

	// To be filled: what takes Old's place, and what becomes of Old. It is
	// deleted where RetireAt is zero, else renamed and ended then, together with
	// its descendants.
	Successor Token
	ByToken   bool // whether a token rotates it, and no password
	RetiredAs string
	RetireAt  time.Time
	Event     Event
}

// TokenStore keeps tokens. What makes them is on behalf of a principal whose rights
// are checked again in the same transaction: see Principal.Confirm.
type TokenStore interface {
	// CreateToken adds a token that its maker may make: see Principal.CheckGrant. It
	// returns ErrDescriptionTaken, ErrKeyRetired, and ErrUnauthenticated where the
	// user is no longer active or the parent gone.
	CreateToken(ctx context.Context, who *Principal, t Token, e Event) error
	// TokenOfUser returns ErrTokenNotFound for what is not this user's.
	TokenOfUser(ctx context.Context, userID, id string) (Token, error)
	// TokensOfUser returns tokens in the order they were made.
	TokensOfUser(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error)
	// DeleteToken has decide decide about a deletion and carries that out, in one
	// transaction. It may call decide more than once. When it has returned, no reader
	// sees what was deleted any more. CallerID is the token that asks, if any.
	DeleteToken(ctx context.Context, userID, id, callerID string, decide func(*Deletion) error) error
	// RotateToken has rotate decide about a token of the caller's and carries that out, in one
	// transaction. It may call rotate more than once. It returns ErrKeyRetired.
	RotateToken(ctx context.Context, who *Principal, id string, rotate func(*Rotation) error) error
	// Memberships returns the wallets of a user.
	Memberships(ctx context.Context, userID string) ([]Membership, error)
}

// Tokens is what users can do with their tokens.
type Tokens struct {
	store  TokenStore
	signer *Signer
	now    func() time.Time
	limits TokenLimits
}

// NewTokens returns a Tokens that keeps tokens in store and signs with signer.
func NewTokens(store TokenStore, signer *Signer, now func() time.Time) *Tokens {
	return &Tokens{store: store, signer: signer, now: now}
}

// TokenOrder is what somebody wants a new token to be.
type TokenOrder struct {
	Description string
	Lifetime    time.Duration // 1 µs to MaxLifetime
	Scopes      Scopes        // DefaultScopes, as far as the maker has them, where none are named
	Wallets     []string      // aliases of the only wallets it is for; nil for those of the maker
	AnyLifetime bool          // whether it may live as long as asked for, unless an operator set a limit
}

// Create makes a token and returns it with the text that is its secret, which
// is not kept. Whoever comes with a token gets no more scopes, wallets or time
// than that has: Forbidden.
func (s *Tokens) Create(ctx context.Context, who *Principal, order TokenOrder) (Token, string, error) {
	if err := checkDescription(order.Description); err != nil {
		return Token{}, "", err
	}
	if err := s.limits.check(order); err != nil {
		return Token{}, "", err
	}
	scopes, err := grantedScopes(who, order.Scopes)
	if err != nil {
		return Token{}, "", err
	}
	wallets, err := s.grantedWallets(ctx, who, order.Wallets)
	if err != nil {
		return Token{}, "", err
	}
	now := s.now()
	t := Token{
		ID: uuid.NewString(), UserID: who.UserID, ParentID: who.TokenID, Description: order.Description,
		Scopes: scopes, Wallets: wallets, Lifetime: order.Lifetime,
		CreatedAt: now, ExpiresAt: now.Add(order.Lifetime).Truncate(time.Second),
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

// maxSignings bounds how often a token is signed anew because keys are exchanged.
const maxSignings = 5

// signing has do make a token, and again where the key that it was signed with turns
// out to have retired meanwhile.
func (s *Tokens) signing(ctx context.Context, do func() error) error {
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

// seal makes the text that stands for t and notes its hash in t.
func (s *Tokens) seal(t *Token, userName string) (string, error) {
	secret, err := s.signer.sign(t, userName)
	if err != nil {
		return "", fmt.Errorf("sign token %s: %w", t.ID, err)
	}
	t.Hash = sha256.Sum256([]byte(secret))
	return secret, nil
}

// Get returns one of the caller's tokens.
func (s *Tokens) Get(ctx context.Context, who *Principal, id string) (Token, error) {
	t, err := s.store.TokenOfUser(ctx, who.UserID, id)
	if err != nil {
		return Token{}, err
	}
	return s.withAliases(ctx, t)
}

// Own returns the token that the caller came with, as it was when the request
// was let in, or ErrTokenNotFound for a password.
func (s *Tokens) Own(ctx context.Context, who *Principal) (Token, error) {
	if who.token == nil {
		return Token{}, ErrTokenNotFound
	}
	return s.withAliases(ctx, *who.token)
}

// List returns up to limit of the caller's tokens in the order they were made.
func (s *Tokens) List(ctx context.Context, who *Principal, after TokenCursor, limit int) ([]Token, error) {
	tokens, err := s.store.TokensOfUser(ctx, who.UserID, after, limit)
	if err != nil {
		return nil, err
	}
	return tokens, s.fillAliases(ctx, who.UserID, tokens)
}

// Rotate replaces one of the caller's tokens by a successor of the same
// description, scopes, wallets and expiry, and returns that with its secret.
// The predecessor lives on for overlap under a marked description, and ends
// with all that were made with it.
//
// A token can replace itself and those made with it; a password every token of its
// user, and then what tokens rotated the predecessor to before ends with it.
func (s *Tokens) Rotate(ctx context.Context, who *Principal, id string, overlap time.Duration) (Token, string, error) {
	now := s.now()
	var secret string
	var successor Token
	rotate := func(r *Rotation) error {
		old := r.Old
		if !now.Before(old.ExpiresAt) {
			return fault.New(fault.Conflict, "token_expired", "the token has expired; a successor would have, too. Make a new one")
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
		if overlap > 0 {
			r.RetireAt = now.Add(overlap).Truncate(time.Second)
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

// grantedScopes returns what a token gets whose maker asks for these scopes.
func grantedScopes(who *Principal, asked Scopes) (Scopes, error) {
	granted := asked
	if asked == 0 {
		granted = DefaultScopes & who.Scopes
	}
	missing := granted &^ who.Scopes
	switch {
	case granted == 0:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "you have none of the scopes that a token gets by default; name those it is to have")
	case missing&AdminScopes != 0 && !who.Admin:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "only admins can have the scopes %s", missing&AdminScopes).
			With("required_role", "admin")
	case missing != 0:
		return 0, fault.New(fault.Forbidden, "scope_exceeded", "a token cannot make one with more scopes than its own; it lacks %s", missing).
			With("required_scope", missing.String())
	}
	return granted, nil
}

// grantedWallets turns aliases into the ids of wallets that the caller is a
// member of and may see. Nil is no limit, or that of the caller.
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
			return nil, fault.InvalidField("wallets", "names a wallet that is not among yours")
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

// ListOf returns tokens of a user for an admin, who is not told what that user calls
// wallets.
func (s *Tokens) ListOf(ctx context.Context, userID string, after TokenCursor, limit int) ([]Token, error) {
	return s.store.TokensOfUser(ctx, userID, after, limit)
}

// fillAliases tells for each token what the user calls the wallets that it is
// for. A wallet that the user left has no alias and is passed over.
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
		return fault.New(fault.Forbidden, "expiry_exceeded", "a token cannot make one that outlives it; yours ends at %s",
			who.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// maxDescription keeps a token below maxTokenBytes whatever the description is
// made of, since JSON may write six bytes for a character.
const maxDescription = 128

// checkDescription is the rule for descriptions of tokens: 1 to 128 characters that
// text.Problem accepts, not all of them spaces.
func checkDescription(description string) error {
	switch {
	case strings.TrimSpace(description) == "":
		return errDescription("is missing or blank")
	case utf8.RuneCountInString(description) > maxDescription:
		return errDescription("must not be longer than %d characters", maxDescription)
	}
	if problem := text.Problem(description); problem != "" {
		return errDescription("%s", problem)
	}
	return nil
}

func errDescription(format string, args ...any) error {
	return fault.InvalidField("description", format, args...)
}
