// Package keymutex provides mutexes that are identified by keys. They work within
// one process.
//
// Invariant: after Lock has returned and until its unlock function is called, no
// other caller holds the mutex of the same key.
package keymutex

import (
	"context"
	"sync"

	"github.com/specterd/specterd/internal/admission"
)

// Mutex is a set of mutexes, one per key. The zero value is ready to use. It is safe
// for concurrent use.
type Mutex struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	slot  chan struct{} // contains an element while the mutex is locked
	users int           // number of callers that hold it or wait for it
}

// Lock locks the mutex of a key. The caller must call unlock exactly once. Lock returns
// ctx.Err() if the context ends first.
func (m *Mutex) Lock(ctx context.Context, key string) (unlock func(), err error) {
	e := m.acquire(key)
	err = admission.Idle(ctx, func() error {
		select {
		case e.slot <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err != nil {
		m.release(key, e)
		return nil, err
	}
	return func() {
		<-e.slot
		m.release(key, e)
	}, nil
}

func (m *Mutex) acquire(key string) *entry {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[string]*entry{}
	}
	e, ok := m.entries[key]
	if !ok {
		e = &entry{slot: make(chan struct{}, 1)}
		m.entries[key] = e
	}
	e.users++
	return e
}

func (m *Mutex) release(key string, e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.users--; e.users == 0 {
		delete(m.entries, key)
	}
}
