package admission_test

import (
	"errors"
	"testing"

	"github.com/specterd/specterd/internal/admission"
)

// TestStreams: a user and all users together have a limit, and a closed stream counts no
// more.
func TestStreams(t *testing.T) {
	s := admission.NewStreams(2, 3)
	open := func(user string, want error) func() {
		t.Helper()
		closeStream, err := s.Open(user)
		if !errors.Is(err, want) {
			t.Fatalf("%s: %v, not %v", user, err, want)
		}
		return closeStream
	}
	first := open("alice", nil)
	open("alice", nil)
	open("alice", admission.ErrTooManyStreams)
	open("bob", nil)
	open("bob", admission.ErrBusy)
	first()
	first() // counts once
	open("bob", nil)
	open("carol", admission.ErrBusy)
}
