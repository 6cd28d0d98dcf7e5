package console_test

import (
	"testing"
)

// TestBrowser_Live shows that an open page ends at the page of sign-in when the user is disabled,
// whether its stream is open by then or not.
func TestBrowser_Live(t *testing.T) {
	t.Parallel()
	s := open(t)
	alice := s.user(t, "alice", false)
	b := s.chromium(t)
	b.open("/")
	b.signIn("alice", alice.password)
	b.see("You have no wallet yet")
	s.sql(t, "UPDATE users SET disabled_at = 1 WHERE name = 'alice'")
	b.see("Sign in")
	if at := b.address(); at != "/login?next=%2F" {
		t.Errorf("the page of a disabled user leads to %s", at)
	}
}
