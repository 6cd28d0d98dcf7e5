package btc

import (
	"errors"

	"github.com/specterd/specterd/internal/fault"
)

// Policy is the spending policy of a wallet: its two descriptors and their common
// properties.
type Policy struct {
	Receive            Descriptor
	Change             Descriptor
	Script             Script
	SignaturesRequired int // for each input
	Keys               []Key
}

// ErrDescriptorsDiffer is returned for two descriptors that are not the branches
// of one wallet.
var ErrDescriptorsDiffer = fault.InvalidAs("descriptors_differ", "change_descriptor", "must be the same as descriptor except for one step of each key's path, such as /0/* there and /1/* here")

// FromDescriptors returns the policy of a receive and a change descriptor. If receive is
// multipath, it describes both branches, and change must be empty. If receive ends in
// /0/*, change may be empty, which means the same descriptor with /1/*. It returns the
// faults of ParseDescriptor, about the field "descriptor" or "change_descriptor",
// ErrDescriptorsDiffer, and a fault about "change_descriptor" if change is missing or
// must be empty.
func FromDescriptors(receive, change string, network Network) (Policy, error) {
	r, err := ParseDescriptor(receive, network)
	if err != nil {
		return Policy{}, err
	}
	if change == "" {
		if c, ok := r.impliedChange(); ok {
			return newPolicy(r, c), nil
		}
		if !r.IsMultipath() {
			return Policy{}, fault.InvalidField("change_descriptor", "is required unless descriptor ends in /<0;1>/*, or in /0/*, which implies /1/* for change")
		}
		return newPolicy(r.Split()), nil
	}
	c, err := ParseDescriptor(change, network)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return Policy{}, f.ForField("change_descriptor")
	}
	if r.IsMultipath() {
		return Policy{}, fault.InvalidField("change_descriptor", "must be omitted if descriptor has a step like <0;1>, which describes both branches")
	}
	if !areBranches(r, c) {
		return Policy{}, ErrDescriptorsDiffer
	}
	return newPolicy(r, c), nil
}

// FromKeys returns the policy of a new wallet. The keys are in the format of ParseKey,
// and script is the name of a script type. Several keys are sorted in each script
// (BIP-67). The branches are /0/* and /1/*. It returns the faults of ParseKey, ErrKeyType
// and ErrDuplicateKey, about the field "keys", and faults about "script" and
// "signatures_required" if they are invalid; several are combined as by fault.JoinErrors.
func FromKeys(keys []string, required int, script string, network Network) (Policy, error) {
	kind, err := ParseScript(script)
	problems := []error{err}
	if limit := kind.maxKeys(); err == nil {
		switch {
		case limit == 1 && len(keys) != 1:
			return Policy{}, fault.InvalidField("keys", "must contain one key for %s", kind)
		case len(keys) == 0 || len(keys) > limit:
			return Policy{}, fault.InvalidField("keys", "must contain 1 to %d keys for %s", limit, kind)
		}
	}
	if required == 0 {
		problems = append(problems, fault.InvalidField("signatures_required", "is required: a number between 1 and the number of keys, %d", len(keys)))
	} else if required < 1 || required > len(keys) {
		problems = append(problems, fault.InvalidField("signatures_required", "must be between 1 and the number of keys, %d", len(keys)))
	}
	d := Descriptor{form: newForm(kind), network: network, required: required}
	for i, text := range keys {
		e, err := parseBareKey(text, network)
		if err == nil && kind != "" {
			err = d.addKey(e, []step{{0, 1}})
		}
		if errors.Is(err, ErrPrivateKey) {
			return Policy{}, aboutKey(err, "keys", i)
		}
		if err != nil {
			problems = append(problems, aboutKey(err, "keys", i))
		}
	}
	if err := fault.JoinErrors(problems...); err != nil {
		return Policy{}, err
	}
	return newPolicy(d.Split()), nil
}

func newPolicy(receive, change Descriptor) Policy {
	return Policy{Receive: receive, Change: change, Script: receive.Script(), SignaturesRequired: receive.required, Keys: receive.Keys()}
}

// Description returns Specter Desktop's description of a wallet with this policy,
// for example "2 of 3 Multisig (Segwit)".
func (p Policy) Description() string { return p.Script.Description(p.SignaturesRequired, len(p.Keys)) }

// newForm returns the syntax of new descriptors for a script type. Multisig uses
// sortedmulti.
func newForm(script Script) form {
	for _, f := range forms {
		if f.script == script && f.sorted == script.IsMultisig() {
			return f
		}
	}
	return form{}
}

// areBranches reports whether two descriptors differ in exactly one step of each
// key's path.
func areBranches(a, b Descriptor) bool {
	if a.form != b.form || a.required != b.required || len(a.keys) != len(b.keys) || b.IsMultipath() {
		return false
	}
	for i, k := range a.keys {
		other := b.keys[i]
		if k.XPub != other.XPub || k.origin != other.origin || len(k.steps) != len(other.steps) {
			return false
		}
		differences := 0
		for j, s := range k.steps {
			if s != other.steps[j] {
				differences++
			}
		}
		if differences != 1 {
			return false
		}
	}
	return true
}
