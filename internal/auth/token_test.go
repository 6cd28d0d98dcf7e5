package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

// fixedKeys is a KeyStore with fixed keys, the signing key first.
type fixedKeys []SigningKey

func (k fixedKeys) SigningKeys(context.Context) ([]SigningKey, error) { return k, nil }

func (fixedKeys) RotateKey(context.Context, string, string, Event) error {
	return errors.New("these keys are fixed")
}

func (fixedKeys) DropKeys(context.Context, bool, func(DroppedKey) Event) ([]DroppedKey, error) {
	return nil, errors.New("these keys are fixed")
}

const testID = "00000000-0000-4000-8000-000000000000"

var testKey = []byte(strings.Repeat("k", MinKeyBytes))

// signerOf returns a Signer that has only the given key.
func signerOf(ctx context.Context, key []byte, now func() time.Time) (*Signer, error) {
	return NewSigner(ctx, fixedKeys{{Fingerprint: Fingerprint(key)}}, func() (Keys, error) { return Keys{key}, nil }, now)
}

func newTestSigner(t testing.TB, now func() time.Time) *Signer {
	t.Helper()
	s, err := signerOf(context.Background(), testKey, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// accepts reports whether s accepts a token whose row specifies the test's key.
func accepts(t testing.TB, s *Signer, token string) (p presented, ok bool) {
	t.Helper()
	if p, ok = s.parse(token); !ok {
		return p, false
	}
	ok, err := s.verify(context.Background(), p, Fingerprint(testKey))
	if err != nil {
		t.Fatal(err)
	}
	return p, ok
}

func TestNewSigner_WithoutKey(t *testing.T) {
	for _, n := range []int{0, 1, MinKeyBytes - 1} {
		if _, err := signerOf(t.Context(), make([]byte, n), time.Now); err == nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
}

// TestSign checks that signing twice yields different tokens, and that no token is too
// long to be accepted, whatever characters the name and the description contain.
func TestSign(t *testing.T) {
	now := time.Now()
	s := newTestSigner(t, func() time.Time { return now })
	for _, char := range []string{"a", "<", "\u2028", "é", "😀", `"`} {
		token := Token{ID: testID, Description: strings.Repeat(char, maxDescription), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		name := strings.Repeat(char, maxUserName)
		first, err1 := s.sign(&token, name)
		second, err2 := s.sign(&token, name)
		if err := errors.Join(err1, err2); err != nil || first == second {
			t.Fatalf("%q: signed the same token twice, or %v", char, err)
		}
		p, ok := accepts(t, s, first)
		if !ok || p.id != token.ID || p.hash != sha256.Sum256([]byte(first)) || token.SigningKey != Fingerprint(testKey) {
			t.Errorf("%q: a token of %d bytes is not accepted", char, len(first))
		}
	}
}

// TestSigner_CachedSignatureExpires checks that a cached signature does not extend the
// lifetime of a token.
func TestSigner_CachedSignatureExpires(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTestSigner(t, func() time.Time { return now })
	token, err := s.sign(&Token{ID: testID, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}, "alice")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, ok := accepts(t, s, token); !ok {
			t.Fatal("not accepted")
		}
	}
	now = now.Add(time.Minute)
	if _, ok := accepts(t, s, token); ok {
		t.Error("accepted after its expiry")
	}
}

// TestSigner_RememberedTokenIsVerified checks that a token which was accepted as an imported one is
// verified as soon as its row says that specterd signed it.
func TestSigner_RememberedTokenIsVerified(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTestSigner(t, func() time.Time { return now })
	foreign, err := signerOf(t.Context(), []byte(strings.Repeat("f", MinKeyBytes)), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		signer *Signer
		want   bool
	}{"signed with the key": {s, true}, "signed with another key": {foreign, false}} {
		t.Run(name, func(t *testing.T) {
			token, err := test.signer.sign(&Token{ID: testID, CreatedAt: now, ExpiresAt: now.Add(time.Minute)}, "alice")
			if err != nil {
				t.Fatal(err)
			}
			p, ok := s.parse(token)
			if !ok {
				t.Fatal("not read")
			}
			s.remember(p)
			for range 2 {
				p, ok := accepts(t, s, token)
				if ok != test.want || p.id != testID || p.hash != sha256.Sum256([]byte(token)) {
					t.Errorf("accepted: %t, want %t, with the id %s", ok, test.want, p.id)
				}
			}
		})
	}
}

// TestSigner_KeyRotation checks that a token is verified with the key that its row
// specifies, and that tokens of a dropped key are rejected, even if their signature is
// cached.
func TestSigner_KeyRotation(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	old, next := testKey, []byte(strings.Repeat("n", MinKeyBytes))
	known := fixedKeys{{Fingerprint: Fingerprint(old)}}
	s, err := NewSigner(t.Context(), &known, func() (Keys, error) { return Keys{old, next}, nil }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	sign := func() string {
		text, err := s.sign(&Token{ID: testID, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}, "alice")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	wants := func(what, token string, key []byte, want bool) {
		t.Helper()
		p, ok := s.parse(token)
		if !ok {
			t.Fatalf("%s: not read", what)
		}
		if good, err := s.verify(t.Context(), p, Fingerprint(key)); good != want || err != nil {
			t.Errorf("%s: %v, %v", what, good, err)
		}
	}
	before := sign()
	wants("of an unused key", before, next, false)
	wants("before", before, old, true)
	known = fixedKeys{{Fingerprint: Fingerprint(next)}, {Fingerprint: Fingerprint(old), RetiredAt: now}}
	stale := sign()
	wants("signed before it is noticed", stale, next, false)
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := sign()
	wants("of the new key", after, next, true)
	wants("of the old key", before, old, true)
	known[1].DroppedAt = now
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants("of the dropped key", before, old, false)
	wants("of the new key still", after, next, true)

	lacking, err := NewSigner(t.Context(), &fixedKeys{{Fingerprint: Fingerprint(next)}, {Fingerprint: Fingerprint(old), RetiredAt: now}},
		func() (Keys, error) { return Keys{next}, nil }, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	p, _ := lacking.parse(before)
	if _, err := lacking.verify(t.Context(), p, Fingerprint(old)); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("of a missing key: %v", err)
	}
}

func TestParseKeys(t *testing.T) {
	a, b := strings.Repeat("a", 64), strings.Repeat("b", MinKeyBytes)
	for text, want := range map[string]int{a: 1, a + "\n": 1, a + "\n" + b: 2, a + "\r\n" + b + "\n": 2, a + "\nshort": 1, a + "\n\n" + b: 1} {
		t.Run(text, func(t *testing.T) {
			keys, err := ParseKeys([]byte(text))
			if err != nil || len(keys) != want || want == 1 && string(keys[0]) != text {
				t.Errorf("%q: %q, %v", text, keys, err)
			}
			back, err := keys.Text()
			if again, _ := ParseKeys(back); err != nil || len(again) != want {
				t.Errorf("%q: written it is %q, %v", text, back, err)
			}
		})
	}
	if _, err := ParseKeys([]byte(b[1:])); err == nil {
		t.Error("a short key is accepted")
	}
	if text, err := (Keys{[]byte(a + "\n"), []byte(b)}).Text(); err == nil {
		t.Errorf("a key with a line end beside another: %q", text)
	}
}

func TestVerifiedTokens_Bounded(t *testing.T) {
	var c acceptedTokens
	key := func(i int) (hash [sha256.Size]byte) {
		return sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	c.put(key(0), acceptedToken{id: "kept"})
	for i := 1; i < 5*maxGeneration; i++ {
		c.put(key(i), acceptedToken{})
		if i%(maxGeneration/2) == 0 { // in use, and therefore kept in the cache
			if v, ok := c.get(key(0)); !ok || v.id != "kept" {
				t.Fatalf("evicted after %d", i)
			}
		}
	}
	if n := len(c.younger) + len(c.older); n > 2*maxGeneration {
		t.Errorf("%d are cached", n)
	}
}

func TestScopes(t *testing.T) {
	for i, test := range []struct {
		names []string
		want  Scopes
	}{
		{[]string{"node:read"}, NodeRead},
		{[]string{"wallets:*", "node:read", "node:read"}, WalletsRead | WalletsWrite | NodeRead},
		{[]string{"proposals:*"}, ProposalsRead | ProposalsCreate | ProposalsSign | ProposalsBroadcast | ProposalsApprove},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			got, err := ParseScopes("scopes", test.names)
			if err != nil || got != test.want {
				t.Errorf("%q: %v, %v", test.names, got, err)
			}
			if back := ScopesFromText(got.String()); back != got {
				t.Errorf("%v is parsed as %v", got, back)
			}
		})
	}
	for i, names := range [][]string{{}, {""}, {"*"}, {":*"}, {"node:*", "x"}, {"node:write"}, {"Node:read"}, {"no*"}, {"node:"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if got, err := ParseScopes("scopes", names); fault.KindOf(err) != fault.Invalid {
				t.Errorf("%q: %v, %v", names, got, err)
			}
		})
	}
	if len(AllScopes.Names()) != len(scopeNames) || AllScopes.Has(1<<len(scopeNames)) {
		t.Error("AllScopes is not all scopes")
	}
	if ScopesOf(false)&AdminScopes != 0 || !ScopesOf(true).Has(AdminScopes) || DefaultScopes&(AdminScopes|TokensRead|TokensWrite|MembersWrite) != 0 {
		t.Error("ScopesOf returns wrong scopes")
	}
}

func TestNewPasswords(t *testing.T) {
	for _, cost := range []int{3, 32, 100, -1} {
		if _, err := NewPasswords(cost, 2); err == nil {
			t.Errorf("a cost of %d is accepted", cost)
		}
	}
	p, err := NewPasswords(4, 2)
	if err != nil {
		t.Fatal(err)
	}
	always := func() error { return nil }
	for _, password := range []string{"", "admin", strings.Repeat("x", 72)} {
		if ok, err := p.matches(t.Context(), "", "", password, always); ok || err != nil {
			t.Errorf("without a hash, the password %q: %v, %v", password, ok, err)
		}
	}
	hashed, err := p.hash(t.Context(), "", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterY": false, "": false} {
		t.Run(password, func(t *testing.T) {
			if ok, err := p.matches(t.Context(), "", hashed, password, always); ok != want || err != nil {
				t.Errorf("%q: %v, %v", password, ok, err)
			}
		})
	}
}

// fakeRecorderStore is a RecorderStore whose first writes fail.
type fakeRecorderStore struct {
	failures int
	events   []Event
	uses     map[string]Use
}

func (s *fakeRecorderStore) WriteEvents(_ context.Context, events []Event, uses map[string]Use) error {
	if s.failures--; s.failures >= 0 {
		return errors.New("away")
	}
	s.events = append(s.events, events...)
	for id, use := range uses {
		s.uses[id] = use
	}
	return nil
}

func (s *fakeRecorderStore) SealAudit(context.Context) error { return nil }

// TestRecorder_RetriesFailedWrites checks that entries whose write failed are written
// later, in order, and that the latest use of a token is kept.
func TestRecorder_RetriesFailedWrites(t *testing.T) {
	store := &fakeRecorderStore{failures: 2, uses: map[string]Use{}}
	j := NewRecorder(slog.New(slog.DiscardHandler), store)
	begin := time.Unix(1_800_000_000, 0)
	for i := range 3 {
		at := begin.Add(time.Duration(i) * usePrecision)
		j.login(Event{At: at, Action: "login", Target: "a\nb\x1b[31m\xff"}, fmt.Sprint(i))
		j.used("t", time.Time{}, Use{At: at, Agent: strings.Repeat("é\n", 200)})
		j.used("fresh", at.Add(-usePrecision/2), Use{At: at}) // stored half a minute ago
		j.Flush(t.Context())
	}
	if !slices.IsSortedFunc(store.events, func(a, b Event) int { return a.At.Compare(b.At) }) || len(store.events) != 3 {
		t.Errorf("events %v", store.events)
	}
	if got := store.events[0].Target; got != "a?b?[31m?" {
		t.Errorf("target %q", got)
	}
	if got := store.uses["t"]; !got.At.Equal(begin.Add(2*usePrecision)) || len([]rune(got.Agent)) != maxAgentRunes || strings.Contains(got.Agent, "\n") {
		t.Errorf("use %+v", got)
	}
	if len(store.uses) != 1 {
		t.Error("a use was stored again within a minute")
	}
}

func TestFoldName(t *testing.T) {
	for i, same := range [][2]string{{"Alice", "aLICE"}, {"Straße", "STRASSE"}, {"é", "e\u0301"}, {"É", "E\u0301"}, {"ſ", "S"}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			if FoldName(same[0]) != FoldName(same[1]) {
				t.Errorf("%q and %q are different users", same[0], same[1])
			}
		})
	}
	if FoldName("a") == FoldName("b") {
		t.Error("a equals b")
	}
}
