package main

import (
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A second server on the same database gives up and says who has it; the tools
// for the shell work all the same, and what they do counts at once.
func TestBesideARunningServer(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t, dir)
	begin := time.Now()
	out, err := tool(t, dir, "serve").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another specterd uses this database: process") {
		t.Errorf("a second server: %v, %s", err, out)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v to say so", took)
	}

	var made madeToken
	request := map[string]any{"description": "x", "lifetime": "1 hour"}
	if status := call(t.Context(), http.MethodPost, s.url+"/api/v1/tokens", "", request, &made); status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	out, err = tool(t, dir, "token", "list", "--user", "admin").CombinedOutput()
	if err != nil || !strings.Contains(string(out), made.ID) {
		t.Errorf("token list: %v\n%s", err, out)
	}
	out, err = tool(t, dir, "token", "revoke", made.ID).CombinedOutput()
	if err != nil {
		t.Errorf("token revoke: %v\n%s", err, out)
	}
	if status := call(t.Context(), http.MethodGet, s.url+"/api/v1/tokens/self", made.Secret, nil, nil); status != http.StatusUnauthorized {
		t.Errorf("the revoked token: status %d", status)
	}
}

// A stop lets what has begun be answered, and ends with success.
func TestStop(t *testing.T) {
	s := startServer(t, t.TempDir(), "SPECTER_BCRYPT_COST=7") // so that a login takes a while
	var wg sync.WaitGroup
	statuses := make(chan int, 8)
	begun := make(chan struct{}, cap(statuses))
	for range cap(statuses) {
		wg.Go(func() {
			begun <- struct{}{}
			statuses <- call(t.Context(), http.MethodGet, s.url+"/api/v1/users/me", "", nil, nil)
		})
	}
	for range cap(statuses) {
		<-begun
	}
	first := <-statuses // then the others wait for their turn
	begin := time.Now()
	check(t, s.cmd.Process.Signal(syscall.SIGTERM))
	err := s.cmd.Wait()
	took := time.Since(begin)
	wg.Wait()
	close(statuses)
	answered := map[int]int{first: 1}
	for status := range statuses {
		answered[status]++
	}
	if err != nil || took > 10*time.Second || answered[http.StatusOK] != 8 {
		t.Errorf("stopped with %v after %v; statuses %v\n%s", err, took, answered, s.log)
	}
}

// Eight starters at once on a fresh folder: one serves, seven say why not.
func TestManyStartersAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	serving, refused := 0, 0
	for range 8 {
		wg.Go(func() {
			cmd := tool(t, dir, "user", "list")
			out, err := cmd.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			if err == nil && strings.Contains(string(out), "admin") {
				serving++
			} else {
				refused++
				t.Logf("%v: %s", err, out)
			}
		})
	}
	wg.Wait()
	if serving != 8 {
		t.Errorf("%d of 8 commands worked, %d did not", serving, refused)
	}
	s := startServer(t, dir)
	if status := call(t.Context(), http.MethodGet, s.url+"/api/healthz/liveness", "x", nil, nil); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
}
