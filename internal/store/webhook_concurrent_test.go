package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/testenv/testkit"
	"github.com/specterd/specterd/internal/wallet"
)

// TestDelivery_ConcurrentProcesses: two processes deliver the events of several wallets, while
// they are recorded, to a receiver that often fails. Each event is delivered, in the order of
// its wallet, and each attempt is in the log.
func TestDelivery_ConcurrentProcesses(t *testing.T) {
	testkit.NeedsTime(t)
	senderTest(t, func(t *testing.T, s *senders) {
		const wallets = 3
		// A message fails three times at most: the clock moves 5 s at a time, and after more
		// failures a delivery waits for hours.
		const maxFailures = 3
		events := testkit.Size(8, 100)
		alice := s.user("alice", false)
		var of []wallet.Wallet
		for i := range wallets {
			of = append(of, s.wallet(alice, fmt.Sprint("w", i)))
		}
		random := rand.New(rand.NewPCG(testkit.Seed(t), 0))
		var mu sync.Mutex
		accepted, failures, requests := map[string][]int64{}, map[string]int{}, 0
		r := s.receiver()
		r.answer = func(w http.ResponseWriter, m received) {
			mu.Lock()
			defer mu.Unlock()
			requests++
			if failures[m.id] < maxFailures && random.IntN(3) == 0 {
				failures[m.id]++
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			d := m.data()
			accepted[d.WalletID] = append(accepted[d.WalletID], d.N)
		}
		hook := s.hook(s.byPassword("alice"), r, nil)
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 2 {
			p := s.sender()
			defer func() {
				if t.Failed() {
					t.Log(p.log)
				}
			}()
			running.Go(func() {
				for pause(ctx) {
					if err := p.Run(ctx); err != nil && ctx.Err() == nil {
						t.Error(err)
					}
					p.Wait()
				}
			})
		}
		running.Go(func() { // while no attempt is in progress, time for the next ones
			for pause(ctx) {
				if s.count("SELECT count(*) FROM deliveries WHERE lease_until > $1", s.clock.Load()) == 0 {
					s.clock.Add(int64(5 * time.Second / time.Microsecond))
				}
			}
		})
		for i := range events {
			for _, w := range of {
				_, err := s.EditWallet(t.Context(), w.ID, func(e *wallet.Edit) error { e.Name = fmt.Sprint("name ", i); e.Event = auth.Event{}; return nil })
				testkit.Check(t, err)
			}
		}
		testkit.Eventually(t, "all events are delivered", func() bool {
			return s.count("SELECT count(*) FROM deliveries WHERE status = 'delivered'") == wallets*events
		})
		stop()
		running.Wait()
		for id, numbers := range accepted {
			for i, n := range numbers {
				if i > 0 && n != numbers[i-1]+1 {
					t.Errorf("the wallet %s has the events %v", id, numbers)
					break
				}
			}
			if len(numbers) != events {
				t.Errorf("the wallet %s has %d events", id, len(numbers))
			}
		}
		logged := s.count("SELECT count(*) FROM delivery_attempts WHERE took IS NOT NULL")
		if logged != requests {
			t.Errorf("%d requests were made, and %d attempts are in the log", requests, logged)
		}
		t.Logf("%d requests for %d events of %s", requests, wallets*events, hook.ID)
	})
}

// pause lets others work for a moment. It reports false if ctx has ended.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(5 * time.Millisecond):
		return true
	case <-ctx.Done():
		return false
	}
}
