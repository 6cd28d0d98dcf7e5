package policy

import (
	"iter"
	"slices"

	"github.com/specterd/specterd/internal/btc"
)

// targets returns all targets of a layer, including the entries of its lists.
func (l *Layer) targets() iter.Seq[*Target] {
	return func(yield func(*Target) bool) {
		all := func(targets []Target) bool {
			for i := range targets {
				if !yield(&targets[i]) {
					return false
				}
			}
			return true
		}
		if !all(l.Policy.Deny) {
			return
		}
		for i := range l.Policy.Allow {
			if !all(l.Policy.Allow[i].To) {
				return
			}
		}
		for _, name := range l.Policy.ListNames() {
			if !all(l.Lists[name]) {
				return
			}
		}
	}
}

// recipients are the outputs of a payment, prepared for comparison with targets.
type recipients struct {
	e       *Evaluator
	network btc.Network
	outputs []Output
	at      map[string][]int // indices by address
	hashes  []addressHash    // of the addresses; nil until a descriptor is compared
}

func (e *Evaluator) recipients(p *Payment) *recipients {
	r := &recipients{e: e, network: p.Network, outputs: p.Outputs, at: make(map[string][]int, len(p.Outputs))}
	for i := range p.Outputs {
		if address := p.Outputs[i].Address; address != "" {
			r.at[address] = append(r.at[address], i)
		}
	}
	return r
}

// set is a set of outputs, by index.
type set []bool

// add adds the members of another set.
func (s set) add(other set) {
	for i, is := range other {
		s[i] = s[i] || is
	}
}

func (s set) full() bool { return !slices.Contains(s, false) }

func (s set) first() int { return slices.Index(s, true) }

func (s set) firstMissing() int { return slices.Index(s, false) }

// layerMatcher finds the outputs that targets of a layer match.
type layerMatcher struct {
	*recipients
	lists        Lists
	byList       map[string]set // the outputs that a list matches
	byDescriptor map[setKey]set
	scratch      set
}

func (r *recipients) matcher(lists Lists) *layerMatcher {
	return &layerMatcher{recipients: r, lists: lists, byList: map[string]set{}, byDescriptor: map[setKey]set{}, scratch: make(set, len(r.outputs))}
}

// none returns the empty set, which is valid until the next call.
func (m *layerMatcher) none() set {
	clear(m.scratch)
	return m.scratch
}

// match adds the outputs that a target matches.
func (m *layerMatcher) match(t *Target, found set) error {
	switch {
	case t.Address != "":
		for _, i := range m.at[t.Address] {
			found[i] = true
		}
	case t.WalletID != "":
		for i := range m.outputs {
			found[i] = found[i] || slices.Contains(m.outputs[i].WalletIDs, t.WalletID)
		}
	case t.List != "":
		listed, err := m.matchList(t.List)
		found.add(listed)
		return err
	case t.Descriptor != "":
		derived, err := m.matchDescriptor(t)
		found.add(derived)
		return err
	}
	return nil
}

func (m *layerMatcher) matchList(name string) (set, error) {
	if found, ok := m.byList[name]; ok {
		return found, nil
	}
	found := make(set, len(m.outputs))
	entries := m.lists[name]
	for i := range entries {
		if entries[i].List != "" {
			continue // lists do not contain lists
		}
		if err := m.match(&entries[i], found); err != nil {
			return nil, err
		}
	}
	m.byList[name] = found
	return found, nil
}

func (m *layerMatcher) matchDescriptor(t *Target) (set, error) {
	key := setKey{m.network, t.Descriptor, t.UpTo}
	if found, ok := m.byDescriptor[key]; ok {
		return found, nil
	}
	if m.hashes == nil {
		m.hashes = make([]addressHash, len(m.outputs))
		for i := range m.outputs {
			m.hashes[i] = hashOf(m.outputs[i].Address)
		}
	}
	found := make(set, len(m.outputs))
	for i := range m.outputs {
		if m.outputs[i].Address == "" {
			continue
		}
		var err error
		if found[i], err = m.e.contains(key, m.hashes[i]); err != nil {
			return nil, err
		}
	}
	m.byDescriptor[key] = found
	return found, nil
}
