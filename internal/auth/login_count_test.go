package auth

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func refusal(at time.Time, name, address string) Event {
	return Event{At: at, Action: "login", Target: name, Address: address, Outcome: outcomeRefused}
}

// TestLoginCounts checks that, of similar logins, the first is recorded and the others
// are counted, even with many names and addresses.
func TestLoginCounts(t *testing.T) {
	store := &fakeRecorderStore{uses: map[string]Use{}}
	j := NewRecorder(slog.New(slog.DiscardHandler), store)
	at := time.Unix(1_800_000_000, 0)
	minute := func(login func()) []Event {
		t.Helper()
		store.events = nil
		login()
		j.EndLoginCounts()
		j.Flush(t.Context())
		return store.events
	}
	got := minute(func() {
		for i := range 100 {
			j.login(refusal(at.Add(time.Duration(i)), fmt.Sprint("guess ", i), "10.0.0.1"), "")
		}
	})
	if len(got) != 2 || got[0].Target != "guess 0" || got[1].Detail != "99 more within a minute, of unknown users" || got[1].Target != "" || got[1].Address != "10.0.0.1" {
		t.Errorf("unknown names: %+v", got)
	}
	got = minute(func() {
		for i := range 10_000 {
			j.login(refusal(at, fmt.Sprint("guess ", i), fmt.Sprintf("2001:db8:0:%x::1", i)), "")
		}
	})
	if len(got) != maxOrigins+2 || got[maxOrigins+1].Detail != "9967 more within a minute, of unknown users" || got[maxOrigins+1].Address != "several addresses" {
		t.Errorf("from many addresses there are %d entries: %+v", len(got), got[len(got)-1])
	}
	got = minute(func() {
		for _, user := range []string{"alice", "bob"} {
			for range 5 {
				j.login(refusal(at, user, "10.0.0.1"), user)
				j.login(Event{At: at, Action: "login", UserName: user, Target: user, Address: "10.0.0.1", Outcome: outcomeOK}, user)
			}
		}
	})
	if len(got) != 8 {
		t.Errorf("of two users there are %d entries: %+v", len(got), got)
	}
	for _, e := range got[4:] {
		if e.Detail != "4 more within a minute" || e.Target == "" {
			t.Errorf("%+v", e)
		}
	}
	if got := minute(func() { j.login(refusal(at, "alice", "10.0.0.1"), "alice") }); len(got) != 1 {
		t.Errorf("a new minute begins with a count: %+v", got)
	}
}

// TestLoginCounts_Written checks that Run writes the counts each minute and when it ends.
func TestLoginCounts_Written(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &fakeRecorderStore{uses: map[string]Use{}}
		j := NewRecorder(slog.New(slog.DiscardHandler), store)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			j.Run(ctx)
		}()
		for range 3 {
			j.login(refusal(time.Now(), "nobody", "10.0.0.1"), "")
		}
		time.Sleep(countLoginsFor + 2*flushEvery) // takes no real time: synctest uses a fake clock
		j.login(refusal(time.Now(), "nobody", "10.0.0.1"), "")
		j.login(refusal(time.Now(), "nobody", "10.0.0.1"), "")
		stop()
		<-ended
		var details []string
		for _, e := range store.events {
			details = append(details, e.Detail)
		}
		if got := strings.Join(details, "|"); got != "|2 more within a minute, of unknown users||1 more within a minute, of unknown users" {
			t.Errorf("entries %q", got)
		}
	})
}
