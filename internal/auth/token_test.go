package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/fault"
)

func newTestSigner(t *testing.T, now func() time.Time) *Signer {
	t.Helper()
	s, err := NewSigner([]byte(strings.Repeat("k", MinKeyBytes)), now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASignerNeedsAKey(t *testing.T) {
	for _, n := range []int{0, 1, MinKeyBytes - 1} {
		if _, err := NewSigner(make([]byte, n), time.Now); err == nil {
			t.Errorf("a key of %d bytes is accepted", n)
		}
	}
}

// The same token cannot be made twice, and what is made is never too long to be
// presented, whatever the name and the description are made of.
func TestSign(t *testing.T) {
	now := time.Now()
	s := newTestSigner(t, func() time.Time { return now })
	for _, char := range []string{"a", "<", "\u2028", "é", "😀", `"`} {
		token := Token{ID: "00000000-0000-4000-8000-000000000000", Description: strings.Repeat(char, maxDescription), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		name := strings.Repeat(char, maxUserName)
		first, err1 := s.sign(token, name)
		second, err2 := s.sign(token, name)
		if err := errors.Join(err1, err2); err != nil || first == second {
			t.Fatalf("%q: twice the same token, or %v", char, err)
		}
		id, hash, ok := s.verify(first)
		if !ok || id != token.ID || hash != sha256.Sum256([]byte(first)) {
			t.Errorf("%q: a token of %d bytes is not accepted", char, len(first))
		}
	}
}

// That a signature was found good is remembered; that the token ends is not
// forgotten over it.
func TestRememberedSignaturesEnd(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	s := newTestSigner(t, func() time.Time { return now })
	token, err := s.sign(Token{ID: "x", CreatedAt: now, ExpiresAt: now.Add(time.Minute)}, "alice")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, ok := s.verify(token); !ok {
			t.Fatal("not accepted")
		}
	}
	now = now.Add(time.Minute)
	if _, _, ok := s.verify(token); ok {
		t.Error("accepted when it has ended")
	}
}

func TestVerifiedTokensAreBounded(t *testing.T) {
	var c verifiedTokens
	key := func(i int) (hash [sha256.Size]byte) {
		return sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	c.put(key(0), verifiedToken{id: "kept"})
	for i := 1; i < 5*maxGeneration; i++ {
		c.put(key(i), verifiedToken{})
		if i%(maxGeneration/2) == 0 { // in use, and therefore not forgotten
			if v, ok := c.get(key(0)); !ok || v.id != "kept" {
				t.Fatalf("forgotten after %d", i)
			}
		}
	}
	if n := len(c.younger) + len(c.older); n > 2*maxGeneration {
		t.Errorf("%d are remembered", n)
	}
}

func TestScopes(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  Scopes
	}{
		{[]string{"node:read"}, NodeRead},
		{[]string{"wallets:*", "node:read", "node:read"}, WalletsRead | WalletsWrite | NodeRead},
		{[]string{"psbts:*"}, PSBTsRead | PSBTsCreate | PSBTsSign | PSBTsBroadcast},
	} {
		got, err := ParseScopes("scopes", test.names)
		if err != nil || got != test.want {
			t.Errorf("%q: %v, %v", test.names, got, err)
		}
		if back := ScopesFromText(got.String()); back != got {
			t.Errorf("%v comes back as %v", got, back)
		}
	}
	for _, names := range [][]string{{}, {""}, {"*"}, {":*"}, {"node:*", "x"}, {"node:write"}, {"Node:read"}, {"no*"}, {"node:"}} {
		if got, err := ParseScopes("scopes", names); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%q: %v, %v", names, got, err)
		}
	}
	if len(AllScopes.Names()) != len(scopeNames) || AllScopes.Has(1<<len(scopeNames)) {
		t.Error("AllScopes is not all scopes")
	}
	if ScopesOf(false)&AdminScopes != 0 || !ScopesOf(true).Has(AdminScopes) || DefaultScopes&(AdminScopes|TokensRead|TokensWrite) != 0 {
		t.Error("somebody has scopes that they should not have")
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
			t.Errorf("nobody has the password %q: %v, %v", password, ok, err)
		}
	}
	hashed, err := p.hash(t.Context(), "", "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterY": false, "": false} {
		if ok, err := p.matches(t.Context(), "", hashed, password, always); ok != want || err != nil {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
	}
}

// storeOfJournal fails as often as it is told to.
type storeOfJournal struct {
	failures int
	events   []Event
	uses     map[string]Use
}

func (s *storeOfJournal) WriteJournal(_ context.Context, events []Event, uses map[string]Use) error {
	if s.failures--; s.failures >= 0 {
		return errors.New("away")
	}
	s.events = append(s.events, events...)
	for id, use := range uses {
		s.uses[id] = use
	}
	return nil
}

func (s *storeOfJournal) SealAudit(context.Context) error { return nil }

// What cannot be written is written later, in order, and the newest use wins.
func TestJournalOutlivesAnAbsentDatabase(t *testing.T) {
	store := &storeOfJournal{failures: 2, uses: map[string]Use{}}
	j := NewJournal(slog.New(slog.DiscardHandler), store)
	begin := time.Unix(1_800_000_000, 0)
	for i := range 3 {
		at := begin.Add(time.Duration(i) * usePrecision)
		j.record(Event{At: at, Action: "login", Target: "a\nb\x1b[31m\xff"})
		j.used("t", time.Time{}, Use{At: at, Agent: strings.Repeat("é\n", 200)})
		j.used("fresh", at.Add(-usePrecision/2), Use{At: at}) // written down half a minute ago
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
		t.Error("a use was written that was written less than a minute ago")
	}
}

func TestFoldName(t *testing.T) {
	for _, same := range [][2]string{{"Alice", "aLICE"}, {"Straße", "STRASSE"}, {"é", "e\u0301"}, {"É", "E\u0301"}, {"ſ", "S"}} {
		if FoldName(same[0]) != FoldName(same[1]) {
			t.Errorf("%q and %q are two", same[0], same[1])
		}
	}
	if FoldName("a") == FoldName("b") {
		t.Error("a is b")
	}
}
