package indexer

import (
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/wallet"
)

// TestScans_RoundRobin checks that the next rescan belongs to the waiting user whose last
// rescan started the longest time ago.
func TestScans_RoundRobin(t *testing.T) {
	s := &New(Options{}).scans
	of := func(user, id string) wallet.Wallet { return wallet.Wallet{ID: id, RescanUser: user} }
	if !s.take(of("alice", "a1")) {
		t.Fatal("the first one waits")
	}
	for _, w := range []wallet.Wallet{of("alice", "a1"), of("alice", "a2"), of("alice", "a3"), of("alice", "a2"), of("alice", "a4"), of("bob", "b1"), of("bob", "b2"), of("carol", "c1")} {
		if s.take(w) {
			t.Fatalf("%s does not wait", w.ID)
		}
	}
	var order []string
	for {
		next, ok := s.next()
		if !ok {
			break
		}
		order = append(order, next.ID)
		if next.ID == "b1" {
			s.take(of("dave", "d1"))
		}
	}
	if got := strings.Join(order, " "); got != "b1 c1 d1 a2 b2 a3 a4" {
		t.Errorf("the order is %s", got)
	}
	if !s.take(of("alice", "a5")) {
		t.Error("a rescan is queued although none is running")
	}
}
