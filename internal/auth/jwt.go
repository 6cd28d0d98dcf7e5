package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// maxTokenBytes is the maximum length of a token that is accepted. Tokens of
// specterd are always shorter.
const maxTokenBytes = 2048

// claims are the claims of Specter Desktop's tokens.
type claims struct {
	Username    string `json:"username"`
	TokenID     string `json:"jwt_token_id"`
	Description string `json:"jwt_token_description"`
	// Times of expiry and issue; see RFC 7519, sections 4.1.4 and 4.1.6.
	ExpiresAt *jwt.NumericDate `json:"exp"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
}

func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (claims) GetNotBefore() (*jwt.NumericDate, error)        { return nil, nil }
func (claims) GetIssuer() (string, error)                     { return "", nil }
func (claims) GetSubject() (string, error)                    { return "", nil }
func (claims) GetAudience() (jwt.ClaimStrings, error)         { return nil, nil }

// Signer creates and verifies tokens: JWTs (RFC 7519) signed with HS256. It checks
// the signature and the expiry of a token. The token's database row determines
// whether the token is valid, and which key must have signed it.
//
// This or another process may change the set of keys and the signing key at any
// time. The Signer needs no notification: it reloads the keys when a token requires
// a key that it does not have, and when a new token is rejected because the key that
// signed it was retired.
type Signer struct {
	store     KeyStore
	read      func() (Keys, error)
	now       func() time.Time
	validator *jwt.Validator

	loading sync.Mutex
	ring    atomic.Pointer[keyring]
}

// keyring is the set of accepted keys, with a cache of tokens whose signature was
// verified.
type keyring struct {
	signs    string
	keys     map[string][]byte
	accepted acceptedTokens
}

// NewSigner returns a Signer that uses the keys that read returns and the store
// lists as accepted. It returns ErrKeyMissing if read fails or does not return the
// current signing key.
func NewSigner(ctx context.Context, store KeyStore, read func() (Keys, error), now func() time.Time) (*Signer, error) {
	s := NewUnloadedSigner(store, read, now)
	return s, s.Reload(ctx)
}

// NewUnloadedSigner returns a Signer like NewSigner that reads the keys when Tokens signs
// the first token. It cannot verify tokens before.
func NewUnloadedSigner(store KeyStore, read func() (Keys, error), now func() time.Time) *Signer {
	return &Signer{store: store, read: read, now: now, validator: jwt.NewValidator(
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithTimeFunc(now),
	)}
}

// load reads the keys unless they were read before.
func (s *Signer) load(ctx context.Context) error {
	if s.ring.Load() != nil {
		return nil
	}
	return s.Reload(ctx)
}

// Reload reads the keys again. It returns the same errors as NewSigner, and then
// keeps the previous keys.
func (s *Signer) Reload(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	known, err := s.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	keys, err := s.read()
	if err != nil {
		return ErrKeyMissing.WithCause(err)
	}
	ring := &keyring{keys: map[string][]byte{}}
	for _, k := range known {
		if k.Signs() {
			ring.signs = k.Fingerprint
		}
		if key := keys.Find(k.Fingerprint); len(key) >= MinKeyBytes && k.Accepted() {
			ring.keys[k.Fingerprint] = key
		}
	}
	if ring.keys[ring.signs] == nil {
		return ErrKeyMissing.WithCause(fmt.Errorf("the signing key has the fingerprint %s", ring.signs))
	}
	s.ring.Store(ring)
	return nil
}

// sign returns the encoded token for t and sets t.SigningKey to the fingerprint of
// the signing key. The expiry of t must be in whole seconds. The header contains a
// salt that is not stored, so that the same token cannot be created again from the
// database row, even with the key.
func (s *Signer) sign(t *Token, userName string) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Username: userName, TokenID: t.ID, Description: t.Description,
		ExpiresAt: jwt.NewNumericDate(t.ExpiresAt), IssuedAt: jwt.NewNumericDate(t.CreatedAt),
	})
	token.Header["salt"] = rand.Text()
	ring := s.ring.Load()
	t.SigningKey = ring.signs
	return token.SignedString(ring.keys[ring.signs])
}

// presented is a token from a request. Until it is verified, its content is used
// only to find the database row.
type presented struct {
	text string
	id   string
	hash [sha256.Size]byte
	// claims is nil if the token was accepted before; then known is set instead.
	claims *claims
	known  acceptedToken
}

// parse parses a token. ok is false for tokens that neither specterd nor Specter
// Desktop can have created.
func (s *Signer) parse(token string) (p presented, ok bool) {
	var buffer [512]byte // larger than tokens usually are, to save an allocation
	p = presented{text: token, hash: sha256.Sum256(append(buffer[:0], token...))}
	if known, ok := s.ring.Load().accepted.get(p.hash); ok {
		p.id, p.known = known.id, known
		return p, true
	}
	c, ok := unverifiedClaims(token)
	if !ok {
		return p, false
	}
	p.id, p.claims = c.TokenID, &c
	return p, true
}

// verify reports whether a token has not expired and was signed with the key that
// has the given fingerprint, which is stored in the token's row. The error is
// ErrKeyMissing or an error of the store.
func (s *Signer) verify(ctx context.Context, p presented, fingerprint string) (bool, error) {
	if p.claims == nil && p.known.verified {
		return s.now().Before(p.known.expiresAt), nil
	}
	if p.claims == nil { // was accepted as an imported token, and its row says otherwise now
		c, ok := unverifiedClaims(p.text)
		if !ok {
			return false, nil
		}
		p.claims = &c
	}
	if fingerprint == "" {
		return false, nil
	}
	ring := s.ring.Load()
	if ring.keys[fingerprint] == nil {
		if err := s.Reload(ctx); err != nil {
			return false, err
		}
		if ring = s.ring.Load(); ring.keys[fingerprint] == nil {
			return false, s.missingKeyError(ctx, fingerprint)
		}
	}
	dot := strings.LastIndexByte(p.text, '.')
	signature, err := unverifiedParser.DecodeSegment(p.text[dot+1:])
	if err != nil || jwt.SigningMethodHS256.Verify(p.text[:dot], signature, ring.keys[fingerprint]) != nil || s.validator.Validate(p.claims) != nil {
		return false, nil //nolint:nilerr // an invalid token is a result and not an error
	}
	ring.accepted.put(p.hash, acceptedToken{id: p.id, expiresAt: p.claims.ExpiresAt.Time, verified: true})
	return true, nil
}

// remember caches the id of an imported token with the hash of its row, so that the token need
// not be decoded again.
func (s *Signer) remember(p presented) {
	if p.claims != nil {
		s.ring.Load().accepted.put(p.hash, acceptedToken{id: p.id})
	}
}

// missingKeyError returns the error for a key that this process does not have: ErrKeyMissing
// if the database lists it as accepted, and nil otherwise, in which case the token
// is rejected.
func (s *Signer) missingKeyError(ctx context.Context, fingerprint string) error {
	known, err := s.store.SigningKeys(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(k SigningKey) bool { return k.Fingerprint == fingerprint && k.Accepted() }) {
		return ErrKeyMissing.WithCause(fmt.Errorf("valid tokens were signed with the key with the fingerprint %s", fingerprint))
	}
	return nil
}

// unverifiedParser parses tokens without verifying them. Without strict decoding,
// three other encodings of each signature would be accepted.
var unverifiedParser = jwt.NewParser(jwt.WithStrictDecoding())

// unverifiedClaims parses a token without verifying its signature, so anyone may
// have created it. ok is false for tokens that Specter Desktop cannot have created.
func unverifiedClaims(token string) (c claims, ok bool) {
	// Base64 decoders ignore line breaks, even strict ones.
	if len(token) > maxTokenBytes || strings.ContainsAny(token, "\r\n") {
		return c, false
	}
	parsed, _, err := unverifiedParser.ParseUnverified(token, &c)
	if err != nil || parsed.Method != jwt.SigningMethodHS256 || !isTokenID(c.TokenID) || c.ExpiresAt == nil {
		return c, false
	}
	return c, true
}

// isTokenID reports whether id is a UUID in the canonical form of token ids.
func isTokenID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// acceptedTokens caches what is in tokens, by hash, that have a valid signature or are
// imported. Neither changes, and each request compares the hash with the token's row. It holds two generations of at most maxGeneration entries
// each, and drops the older one when the younger is full.
type acceptedTokens struct {
	mu             sync.RWMutex
	younger, older map[[sha256.Size]byte]acceptedToken
}

type acceptedToken struct {
	id        string
	verified  bool // whether the signature was verified; otherwise the token is imported
	expiresAt time.Time
}

const maxGeneration = 16_384

func (c *acceptedTokens) get(hash [sha256.Size]byte) (acceptedToken, bool) {
	c.mu.RLock()
	v, ok := c.younger[hash]
	if ok {
		c.mu.RUnlock()
		return v, true
	}
	v, ok = c.older[hash]
	c.mu.RUnlock()
	if ok {
		c.put(hash, v)
	}
	return v, ok
}

func (c *acceptedTokens) put(hash [sha256.Size]byte, v acceptedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.younger == nil || len(c.younger) >= maxGeneration {
		c.older, c.younger = c.younger, make(map[[sha256.Size]byte]acceptedToken)
	}
	c.younger[hash] = v
}
