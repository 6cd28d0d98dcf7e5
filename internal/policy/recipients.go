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

func (s set) full() bool { return !slices.Contains(s, false) }

func (s set) first() int { return slices.Index(s, true) }

func (s set) firstMissing() int { return slices.Index(s, false) }

// layerMatcher finds the outputs that targets of a layer match.
type layerMatcher struct {
	*recipients
	lists  Lists
	byList map[string]set // the outputs that a list matches
}

func (r *recipients) matcher(lists Lists) *layerMatcher {
	return &layerMatcher{recipients: r, lists: lists, byList: map[string]set{}}
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
		if err != nil {
			return err
		}
		for i, is := range listed {
			found[i] = found[i] || is
		}
	case t.Descriptor != "":
		return m.matchDescriptor(t, found)
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

func (m *layerMatcher) matchDescriptor(t *Target, found set) error {
	if m.hashes == nil {
		m.hashes = make([]addressHash, len(m.outputs))
		for i := range m.outputs {
			m.hashes[i] = hashOf(m.outputs[i].Address)
		}
	}
	for i := range m.outputs {
		if found[i] || m.outputs[i].Address == "" {
			continue
		}
		is, err := m.e.contains(t, m.network, m.hashes[i])
		if err != nil {
			return err
		}
		found[i] = is
	}
	return nil
}
