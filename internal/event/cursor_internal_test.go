package event

import (
	"errors"
	"testing"
)

// TestSealer: a position can be used by one user only, and with the same key. The position of an
// event is always the same, and any other is different each time.
func TestSealer(t *testing.T) {
	s, err := newSealer(make([]byte, 16))
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSealer([]byte("another key 1234"))
	if err != nil {
		t.Fatal(err)
	}
	if first, second := s.seal("alice", 7), s.seal("alice", 7); first != second {
		t.Error("an event has two ids")
	}
	if first, second := s.mark("alice", 7), s.mark("alice", 7); first == second {
		t.Error("a position tells that no events were added")
	}
	for name, write := range map[string]func(string, int64) string{"event": s.seal, "mark": s.mark} {
		text := write("alice", 7)
		if text == write("alice", 8) || text == write("bob", 7) {
			t.Errorf("%s: positions are not distinct", name)
		}
		if got, err := s.open("alice", text); got != 7 || err != nil {
			t.Errorf("%s: 7 is %d, %v", name, got, err)
		}
		if _, err := s.open("bob", text); !errors.Is(err, ErrPruned) {
			t.Errorf("%s: another user: %v", name, err)
		}
		if _, err := other.open("alice", text); !errors.Is(err, ErrPruned) {
			t.Errorf("%s: another key: %v", name, err)
		}
		for _, text := range []string{"7", "x", text + "AA", text[1:], "!" + text[1:]} {
			if _, err := s.open("alice", text); !errors.Is(err, errAfter) {
				t.Errorf("%s: %q: %v", name, text, err)
			}
		}
	}
}
