// Package keymutex has those who want the same thing within this process come one
// after the other. It knows nothing of other processes.
//
// The invariant: between Take's return and the call of what it returned, nobody
// else has a turn for the same key.
package keymutex

import (
	"context"
	"sync"

	"github.com/specterd/specterd/internal/admission"
)

// Turns is a queue for each key. The zero value is ready for use, by any number
// of goroutines.
type Turns struct {
	mu     sync.Mutex
	queues map[string]*queue
}

type queue struct {
	slot chan struct{} // holds an element while somebody has the turn
	here int           // how many have or want it
}

// Take waits for a turn. Whoever has it calls done, once. It returns ctx.Err()
// where that ends first.
func (t *Turns) Take(ctx context.Context, key string) (done func(), err error) {
	q := t.join(key)
	err = admission.Idle(ctx, func() error {
		select {
		case q.slot <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		t.leave(key, q)
		return nil, err
	}
	return func() {
		<-q.slot
		t.leave(key, q)
	}, nil
}

func (t *Turns) join(key string) *queue {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.queues == nil {
		t.queues = map[string]*queue{}
	}
	q, ok := t.queues[key]
	if !ok {
		q = &queue{slot: make(chan struct{}, 1)}
		t.queues[key] = q
	}
	q.here++
	return q
}

func (t *Turns) leave(key string, q *queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if q.here--; q.here == 0 {
		delete(t.queues, key)
	}
}
