package policy

import (
	"bytes"
	"container/list"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/specterd/specterd/internal/btc"
)

// maxHashes bounds the memory of an Evaluator: 16 bytes for each address, 16 MiB together.
const maxHashes = 1 << 20

// addressHash is the beginning of the SHA-256 of an address. It needs less memory than the
// address.
type addressHash [16]byte

func hashOf(address string) addressHash {
	sum := sha256.Sum256([]byte(address))
	return addressHash(sum[:])
}

// setKey identifies the addresses of a descriptor target.
type setKey struct {
	network    btc.Network
	descriptor string
	upTo       uint32
}

// addressSet contains the addresses of a descriptor target, which are derived once.
type addressSet struct {
	key    setKey
	mu     sync.Mutex
	hashes []addressHash // sorted; nil until they are derived
}

// Evaluator evaluates payments. It caches the addresses of descriptors, and is safe for
// concurrent use.
type Evaluator struct {
	mu   sync.Mutex
	sets map[setKey]*list.Element // of *addressSet
	used *list.List               // the most recently used first
	size int                      // addresses of all sets
}

// NewEvaluator returns an evaluator without cached addresses.
func NewEvaluator() *Evaluator {
	return &Evaluator{sets: map[setKey]*list.Element{}, used: list.New()}
}

// Prepare derives the addresses of all descriptors that the layers name, which can take
// seconds for one descriptor. Evaluate and Recheck derive missing addresses also; call
// Prepare before a transaction that calls them.
func (e *Evaluator) Prepare(ctx context.Context, network btc.Network, layers []Layer) error {
	for i := range layers {
		for t := range layers[i].targets() {
			if t.Descriptor == "" {
				continue
			}
			if err := e.set(setKey{network, t.Descriptor, t.UpTo}).derive(ctx.Err); err != nil {
				return err
			}
		}
	}
	return nil
}

// contains reports whether an address is one of the addresses of a descriptor target.
func (e *Evaluator) contains(key setKey, address addressHash) (bool, error) {
	set := e.set(key)
	if err := set.derive(func() error { return nil }); err != nil {
		return false, err
	}
	_, found := slices.BinarySearchFunc(set.hashes, address, func(a, b addressHash) int { return bytes.Compare(a[:], b[:]) })
	return found, nil
}

// set returns the set with a key. It forgets the sets that were not used for the longest
// time if there are too many addresses.
func (e *Evaluator) set(key setKey) *addressSet {
	e.mu.Lock()
	defer e.mu.Unlock()
	if at, ok := e.sets[key]; ok {
		e.used.MoveToFront(at)
		return at.Value.(*addressSet)
	}
	set := &addressSet{key: key}
	e.sets[key] = e.used.PushFront(set)
	for e.size += key.addresses(); e.size > maxHashes && e.used.Len() > 1; {
		last := e.used.Remove(e.used.Back()).(*addressSet)
		delete(e.sets, last.key)
		e.size -= last.key.addresses()
	}
	return set
}

// addresses returns the maximum number of addresses: a multipath descriptor has two branches.
func (k setKey) addresses() int { return 2 * int(k.upTo) }

// derive derives the addresses unless that has been done. It stops if stop returns an error.
func (s *addressSet) derive(stop func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hashes != nil {
		return nil
	}
	hashes := make([]addressHash, 0, s.key.addresses())
	for address, err := range s.key.all() {
		if err == nil {
			err = stop()
		}
		if err != nil {
			return err
		}
		hashes = append(hashes, hashOf(address))
	}
	slices.SortFunc(hashes, func(a, b addressHash) int { return bytes.Compare(a[:], b[:]) })
	s.hashes = hashes
	return nil
}

// all derives the addresses.
func (k setKey) all() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		d, err := btc.ParseDescriptor(k.descriptor, k.network)
		if err != nil {
			yield("", fmt.Errorf("parse the descriptor of a policy: %w", err))
			return
		}
		receive, change := d.Split()
		branches := []btc.Descriptor{receive}
		if d.IsMultipath() {
			branches = append(branches, change)
		}
		for _, branch := range branches {
			deriver, err := branch.Deriver()
			if err != nil {
				yield("", err)
				return
			}
			for i := range k.upTo {
				if !yield(deriver.Address(i)) {
					return
				}
			}
		}
	}
}

// addressesOf returns the addresses of a descriptor.
func addressesOf(k setKey) ([]string, error) {
	var found []string
	for address, err := range k.all() {
		if err != nil {
			return nil, err
		}
		found = append(found, address)
	}
	return found, nil
}
