package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// MinKeyBytes is the shortest signing key. An empty one would sign and verify
// without complaint.
const MinKeyBytes = 32

// maxTokenBytes bounds a presented token; those made here are shorter.
const maxTokenBytes = 2048

// claims are the claims of Specter Desktop's tokens.
type claims struct {
	Username    string `json:"username"`
	TokenID     string `json:"jwt_token_id"`
	Description string `json:"jwt_token_description"`
	// RFC 7519, sections 4.1.4 and 4.1.6.
	ExpiresAt *jwt.NumericDate `json:"exp"`
	IssuedAt  *jwt.NumericDate `json:"iat"`
}

func (c claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.ExpiresAt, nil }
func (c claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (claims) GetNotBefore() (*jwt.NumericDate, error)        { return nil, nil }
func (claims) GetIssuer() (string, error)                     { return "", nil }
func (claims) GetSubject() (string, error)                    { return "", nil }
func (claims) GetAudience() (jwt.ClaimStrings, error)         { return nil, nil }

// Signer makes and verifies tokens: JWTs (RFC 7519) signed with HS256. What it
// says of a token is that it was made with its key and when it ends; whether it
// still counts is for the token's row to say.
type Signer struct {
	key      []byte
	now      func() time.Time
	parser   *jwt.Parser
	verified verifiedTokens
}

// NewSigner returns a Signer with a key of at least MinKeyBytes.
func NewSigner(key []byte, now func() time.Time) (*Signer, error) {
	if len(key) < MinKeyBytes {
		return nil, fmt.Errorf("the signing key has %d bytes and needs at least %d", len(key), MinKeyBytes)
	}
	return &Signer{key: key, now: now, parser: jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithStrictDecoding(), // else three other spellings of each signature pass
		jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(),
		jwt.WithTimeFunc(now),
	)}, nil
}

// sign returns a token that stands for t, whose expiry is whole seconds. Its
// header has a salt that is kept nowhere, so that nobody can make the same token
// again from the row, also not with the key.
func (s *Signer) sign(t Token, userName string) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Username: userName, TokenID: t.ID, Description: t.Description,
		ExpiresAt: jwt.NewNumericDate(t.ExpiresAt), IssuedAt: jwt.NewNumericDate(t.CreatedAt),
	})
	token.Header["salt"] = rand.Text()
	return token.SignedString(s.key)
}

// verify returns the id and the hash of a token that was signed with this key
// and has not ended.
func (s *Signer) verify(token string) (id string, hash [sha256.Size]byte, ok bool) {
	// Base64 decoders pass over line breaks, strict ones too.
	if len(token) > maxTokenBytes || strings.ContainsAny(token, "\r\n") {
		return "", hash, false
	}
	hash = sha256.Sum256([]byte(token))
	v, known := s.verified.get(hash)
	if !known {
		var c claims
		if _, err := s.parser.ParseWithClaims(token, &c, s.keyFor); err != nil || c.TokenID == "" {
			return "", hash, false
		}
		v = verifiedToken{id: c.TokenID, expiresAt: c.ExpiresAt.Time}
		s.verified.put(hash, v)
	}
	return v.id, hash, s.now().Before(v.expiresAt)
}

func (s *Signer) keyFor(*jwt.Token) (any, error) { return s.key, nil }

// foreignParser reads tokens without verifying them.
var foreignParser = jwt.NewParser(jwt.WithStrictDecoding())

// foreignClaims reads a token that was signed with a key that is not known here.
// Nothing in it can be believed. ok is false for what Specter Desktop could not
// have made.
func foreignClaims(token string) (c claims, ok bool) {
	if len(token) > maxTokenBytes || strings.ContainsAny(token, "\r\n") {
		return c, false
	}
	parsed, _, err := foreignParser.ParseUnverified(token, &c)
	if err != nil || parsed.Method != jwt.SigningMethodHS256 || !isTokenID(c.TokenID) || c.ExpiresAt == nil {
		return c, false
	}
	return c, true
}

// foreignID returns the id of the row that such a token has to be compared with,
// if it was imported. That row decides, by the hash of the whole token: the id is
// worth nothing by itself.
func foreignID(token string) (id string, ok bool) {
	c, ok := foreignClaims(token)
	return c.TokenID, ok
}

// isTokenID reports whether id is a UUID in the one form that tokens have.
func isTokenID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// verifiedTokens remembers, by the hash of a token, that its signature was
// found good, which never changes. It holds two generations of at most
// maxGeneration and forgets the older one when the younger is full.
type verifiedTokens struct {
	mu             sync.RWMutex
	younger, older map[[sha256.Size]byte]verifiedToken
}

type verifiedToken struct {
	id        string
	expiresAt time.Time
}

const maxGeneration = 16_384

func (c *verifiedTokens) get(hash [sha256.Size]byte) (verifiedToken, bool) {
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

func (c *verifiedTokens) put(hash [sha256.Size]byte, v verifiedToken) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.younger == nil || len(c.younger) >= maxGeneration {
		c.older, c.younger = c.younger, make(map[[sha256.Size]byte]verifiedToken)
	}
	c.younger[hash] = v
}

// Fingerprint tells signing keys apart without giving anything of them away: 16
// hexadecimal digits of a SHA-256.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(append([]byte("specterd signing key\x00"), key...))
	return hex.EncodeToString(sum[:8])
}
