package psbt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/fault"
	"github.com/specterd/specterd/internal/psbt"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// edit is a change to a signed PSBT.
type edit struct {
	what  string
	apply func(*rawPSBT)
}

// edits returns changes to a PSBT: for each field, one for each byte of its key and
// value, and several of the whole field.
func edits(raw rawPSBT) (all []edit) {
	maps := func(p *rawPSBT) []*[]kv {
		list := []*[]kv{&p.global}
		for i := range p.in {
			list = append(list, &p.in[i])
		}
		for i := range p.out {
			list = append(list, &p.out[i])
		}
		return list
	}
	for m, fields := range maps(&raw) {
		for f, field := range *fields {
			add := func(what string, change func(m *[]kv, field *kv)) {
				all = append(all, edit{fmt.Sprintf("map %d, field %x: %s", m, field.key, what), func(p *rawPSBT) {
					target := maps(p)[m]
					change(target, &(*target)[f])
				}})
			}
			for i := range field.value {
				add(fmt.Sprintf("bit in byte %d", i), func(_ *[]kv, field *kv) { field.value[i] ^= 1 << (i % 8) })
			}
			for i := range field.key {
				add(fmt.Sprintf("bit in byte %d of the key", i), func(_ *[]kv, field *kv) { field.key[i] ^= 1 << (i % 8) })
			}
			add("a byte more", func(_ *[]kv, field *kv) { field.value = append(field.value, 0) })
			add("a byte less", func(_ *[]kv, field *kv) { field.value = field.value[:max(0, len(field.value)-1)] })
			add("empty", func(_ *[]kv, field *kv) { field.value = nil })
			add("a longer key", func(_ *[]kv, field *kv) { field.key = append(field.key, 0) })
			add("dropped", func(m *[]kv, _ *kv) { *m = slices.Delete(*m, f, f+1) })
			add("twice", func(m *[]kv, field *kv) { *m = append(*m, *field) })
			for other := range maps(&raw) {
				if other != m {
					all = append(all, edit{fmt.Sprintf("map %d, field %x: moved to map %d", m, field.key, other), func(p *rawPSBT) {
						from, to := maps(p)[m], maps(p)[other]
						moved := (*from)[f]
						*from = slices.Delete(*from, f, f+1)
						set(to, moved.key, moved.value)
					}})
				}
			}
		}
	}
	return all
}

// TestEveryFieldTampered changes every part of a signed PSBT, for each wallet type.
// The PSBT must be rejected, or the change must be irrelevant, so that only the original,
// verified signatures are accepted.
func TestEveryFieldTampered(t *testing.T) {
	t.Parallel()
	seed := testkit.Seed(t)
	var mu sync.Mutex
	count := map[string]int{}
	kinds := 0
	for _, f := range forms {
		if f.keys > 3 {
			continue
		}
		kinds++
		p := newWallet(t, f.name).pay(t)
		stored := p.stored()
		honest := p.signed(p.enough()...)
		want := testkit.Value(p.collect(stored, honest.bytes()))(t)
		for _, raw := range []rawPSBT{honest, honest.version2(t), p.finalized(p.final())} {
			list := edits(raw)
			rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			testkit.Spread(t, seed, min(len(list), testkit.Size(30, len(list))), func(i int, _ *rand.Rand) {
				changed := raw.clone()
				list[i].apply(&changed)
				data := changed.bytes()
				if bytes.Equal(data, raw.bytes()) {
					t.Errorf("%s: %s changed nothing", f.name, list[i].what)
				}
				got, err := p.collect(stored, data)
				outcome := "of no account"
				switch refusal, ok := errors.AsType[*fault.Error](err); {
				case ok && (refusal.Kind == fault.Invalid || refusal.Kind == fault.TooLarge):
					outcome = "refused"
				case err != nil:
					t.Errorf("%s: %s: %v", f.name, list[i].what, err)
				}
				for _, s := range got {
					if !slices.ContainsFunc(want, func(w psbt.Signature) bool {
						return w.Input == s.Input && w.Key == s.Key && bytes.Equal(w.Bytes, s.Bytes)
					}) {
						t.Errorf("%s: %s: accepted the signature %+v", f.name, list[i].what, s)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				count[outcome]++
			})
		}
	}
	if count["refused"] < 200 {
		t.Errorf("%v", count)
	}
	testkit.Figure(t, "%d changes to signed PSBTs of %d kinds of wallets: %d refused, %d of no account, 0 accepted",
		count["refused"]+count["of no account"], kinds, count["refused"], count["of no account"])
}
