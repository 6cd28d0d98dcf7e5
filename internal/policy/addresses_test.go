package policy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/specterd/specterd/internal/btc"
)

func descriptorLayers(upTo ...uint32) []Layer {
	var entries []Target
	for _, n := range upTo {
		entries = append(entries, Target{Descriptor: wpkhDescriptor, UpTo: n})
	}
	return []Layer{{Kind: Wallet, Subject: "s", Policy: Policy{Allow: []Rule{{Name: "a", To: []Target{{List: "l"}}}}}, Lists: Lists{"l": entries}}}
}

func TestEvaluator_ForgetsAddresses(t *testing.T) {
	e := NewEvaluator()
	for i := range maxHashes/2/MaxUpTo + 5 {
		e.set(setKey{btc.Main, fmt.Sprint("descriptor ", i), MaxUpTo})
		e.set(setKey{btc.Main, "descriptor 0", MaxUpTo}) // is used all the time
	}
	if e.size > maxHashes || e.size < maxHashes-2*MaxUpTo || e.size != 2*MaxUpTo*e.used.Len() || len(e.sets) != e.used.Len() {
		t.Errorf("got %d addresses in %d of %d sets", e.size, e.used.Len(), len(e.sets))
	}
	for name, want := range map[string]bool{"descriptor 0": true, "descriptor 1": false} {
		if _, ok := e.sets[setKey{btc.Main, name, MaxUpTo}]; ok != want {
			t.Errorf("%s: %t", name, ok)
		}
	}
}

func TestEvaluator_Prepare(t *testing.T) {
	e, layers := NewEvaluator(), descriptorLayers(3, 5)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Prepare(ctx, btc.Main, layers); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := e.Prepare(t.Context(), btc.Main, layers); err != nil {
		t.Fatal(err)
	}
	for _, n := range []uint32{3, 5} {
		if set := e.set(setKey{btc.Main, wpkhDescriptor, n}); len(set.hashes) != int(n) {
			t.Errorf("got %d addresses", len(set.hashes))
		}
	}
	if err := e.Prepare(t.Context(), btc.Main, []Layer{{Policy: Policy{Deny: []Target{{Descriptor: "x", UpTo: 1}}}}}); err == nil {
		t.Error("no error for an invalid descriptor")
	}
	// An error while a payment is evaluated does not permit it.
	pay := Payment{Network: btc.Main, Outputs: []Output{{Address: "x"}}}
	if d, err := e.Evaluate(pay, []Layer{{Policy: Policy{Deny: []Target{{Descriptor: "x", UpTo: 1}}}}}, charges{}); err == nil {
		t.Errorf("got %+v", d)
	}
}

func TestEvaluator_Networks(t *testing.T) {
	const tpub = "wpkh(tpubDC5FSnBiZDMmhiuCmWAYsLwgLYrrT9rAqvTySfuCCrgsWz8wxMXUS9Tb9iVMvcRbvFcAHGkMD5Kx8koh4GquNGNTfohfk7pgjhaPCdXpoba/<0;1>/*)"
	key := setKey{btc.Test, tpub, 2}
	found, err := addressesOf(key)
	if err != nil || len(found) != 4 {
		t.Fatal(found, err)
	}
	e := NewEvaluator()
	for i, address := range found { // both branches
		if ok, err := e.contains(key, hashOf(address)); !ok || err != nil {
			t.Errorf("address %d: %t, %v", i, ok, err)
		}
	}
	if ok, err := e.contains(setKey{btc.Regtest, tpub, 2}, hashOf(found[0])); ok || err != nil {
		t.Errorf("regtest: %t, %v", ok, err)
	}
}

func TestEvaluator_Concurrent(t *testing.T) {
	e, layers := NewEvaluator(), descriptorLayers(50, 51, 52)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			address := derived[i%3]
			if err := e.Prepare(t.Context(), btc.Main, layers); err != nil {
				t.Error(err)
			}
			d, err := e.Evaluate(Payment{Network: btc.Main, Outputs: []Output{{Address: address}}}, layers, charges{})
			if err != nil || len(d.Refusals) > 0 {
				t.Errorf("got %+v, %v", d, err)
			}
		})
	}
	group.Wait()
}
