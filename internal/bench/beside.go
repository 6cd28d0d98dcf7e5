package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/specterd/specterd/internal/psbt"
)

const (
	heavyUsers       = 25     // number of users, each of whom sends two requests at a time
	heavySize        = 10_000 // transactions
	besideGoal       = 10 * time.Millisecond
	besideTime       = 10 * time.Second
	besideConnection = 4
)

// heavyRequest is a request that requires much work from the server.
type heavyRequest struct{ method, path, accept, body string }

func heaviest() []heavyRequest {
	return []heavyRequest{
		{http.MethodGet, "/api/v1alpha/wallets/" + walletAlias + "/", "", ""},
		{http.MethodPost, walletPath + "/proposals/none/signatures", "", emptyItems()},
		{http.MethodGet, walletPath + "/transactions?view=ledger", "text/csv", ""},
		{http.MethodGet, "/api/v1alpha/specter/full_txlist/", "", ""},
		{http.MethodGet, walletPath + "/transactions", "application/jsonl", ""},
	}
}

// emptyItems returns a transaction in hexadecimal, the longest format. It has one
// input with the maximum number of empty witness items.
func emptyItems() string {
	const items = psbt.MaxSize - 1000
	head := "02000000" + "0001" + "01" + strings.Repeat("00", 36) + "00" + "00000000" + "01" + strings.Repeat("00", 8) + "00"
	count := fmt.Sprintf("fe%02x%02x%02x%02x", items&255, items>>8&255, items>>16&255, items>>24)
	return head + count + strings.Repeat("00", items) + "00000000"
}

// measureBeside measures light requests while many users send heavy ones, two at a
// time. Each user sends the next request as soon as the previous one is answered
// or, if it was rejected, when the server permits a retry.
func measureBeside(ctx context.Context, b *bench) error {
	s, tokens, up, err := b.serveMembers(ctx, heavySize, heavyUsers)
	if err != nil {
		return err
	}
	defer up.stop()
	if err := up.calm(ctx); err != nil {
		return err
	}
	light := job{Address: up.address, Requests: [][]byte{request(bearerPath, s.token)}, Connections: besideConnection, Duration: besideTime}
	alone, err := light.run(ctx)
	if err != nil {
		return err
	}
	if err := up.forgetPeak(); err != nil {
		return err
	}
	heavy := &heavyLoad{server: up, requests: heaviest()}
	stop := heavy.start(ctx, tokens)
	beside, err := light.run(ctx)
	stop()
	if err = errors.Join(err, heavy.failure()); err != nil {
		return err
	}
	_, peak := up.memory()
	what := fmt.Sprintf("a bearer request beside %d of the heaviest, p99", 2*heavyUsers)
	return printFigures(b.stdout, []figure{
		{
			name: nameBeside, what: what, value: duration(beside.P99), against: "alone: " + duration(alone.P99),
			goal: "≤ " + duration(besideGoal), good: beside.P99 <= besideGoal,
		},
		{name: nameBeside, what: "the same, p50", value: duration(beside.P50), against: "alone: " + duration(alone.P50)},
		{
			name: nameBeside, what: "heavy requests answered in that time", value: strconv.Itoa(int(heavy.answered.Load())),
			against: fmt.Sprintf("refused with Retry-After: %d", heavy.refused.Load()),
		},
		{name: nameBeside, what: "peak memory meanwhile", value: fmt.Sprintf("%.1f MB", float64(peak)/1e6)},
	})
}

// serveMembers starts a server with a wallet of a size. It returns the tokens of n members as well.
func (b *bench) serveMembers(ctx context.Context, size, n int) (s seeded, tokens []string, up *server, err error) {
	if s, err = b.history(ctx, size); err == nil {
		tokens, err = s.addMembers(ctx, n)
	}
	if err == nil {
		up, err = s.serve(ctx, b)
	}
	return s, tokens, up, err
}

// addMembers adds n users as signers of the wallet, and returns a token of each.
func (s *seeded) addMembers(ctx context.Context, n int) (tokens []string, err error) {
	db, err := openStore(ctx, s.database())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	plain, err := sql.Open("sqlite", "file:"+filepath.Join(s.folder, databaseName)+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, plain.Close()) }()
	for i := range n {
		who, token, err := addUser(ctx, db, s.key, fmt.Sprintf("member-%d", i))
		if err != nil {
			return nil, err
		}
		if _, err := plain.ExecContext(ctx, "INSERT INTO members (wallet_id, user_id, role, alias, created_at) VALUES ($1, $2, 'signer', $3, 0)",
			s.walletID, who.UserID, walletAlias); err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// heavyLoad keeps heavy requests in progress.
type heavyLoad struct {
	*server
	requests          []heavyRequest
	answered, refused atomic.Int64
	mu                sync.Mutex
	err               error
}

// start sends two requests at a time with each token until stop is called.
func (h *heavyLoad) start(ctx context.Context, tokens []string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * len(tokens), DisableCompression: true}}
	var running sync.WaitGroup
	for i := range 2 * len(tokens) {
		running.Go(func() {
			for n := i; ctx.Err() == nil; n++ {
				if err := h.send(ctx, client, tokens[i/2], h.requests[n%len(h.requests)]); err != nil && ctx.Err() == nil {
					h.mu.Lock()
					h.err = errors.Join(h.err, err)
					h.mu.Unlock()
					return
				}
			}
		})
	}
	return func() {
		cancel()
		running.Wait()
		client.CloseIdleConnections()
	}
}

func (h *heavyLoad) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// send sends one request. If it is rejected, send waits for the time that the
// server specifies.
func (h *heavyLoad) send(ctx context.Context, client *http.Client, token string, what heavyRequest) error {
	r, err := http.NewRequestWithContext(ctx, what.method, "http://"+h.address+what.path, strings.NewReader(what.body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", what.accept)
	if what.body != "" {
		r.Header.Set("Content-Type", "text/plain")
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	switch response.StatusCode {
	case http.StatusOK, http.StatusNotFound:
		h.answered.Add(1)
		return nil
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.refused.Add(1)
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil {
			return err
		}
		select {
		case <-time.After(time.Duration(seconds) * time.Second):
		case <-ctx.Done():
		}
		return nil
	}
	return fmt.Errorf("%s %s: %s", what.method, what.path, response.Status)
}
