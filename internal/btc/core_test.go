package btc_test

import (
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/btcutil/hdkeychain"
	"github.com/btcsuite/btcd/chaincfg"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// signer returns the master key of test device n, as in Specter Desktop's recordings.
func signer(t testing.TB, n int) *hdkeychain.ExtendedKey {
	t.Helper()
	seed := sha512.Sum512(fmt.Appendf(nil, "specter-live-%d", n))
	master, err := hdkeychain.NewMaster(seed[:], &chaincfg.RegressionNetParams)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// public returns the extended public key that master derives at a path, with its origin.
func public(t testing.TB, master *hdkeychain.ExtendedKey, path ...uint32) (origin, xpub string) {
	t.Helper()
	masterKey, err := master.ECPubKey()
	if err != nil {
		t.Fatal(err)
	}
	origin = hex.EncodeToString(btcutil.Hash160(masterKey.SerializeCompressed())[:4])
	key := master
	for _, step := range path {
		if key, err = key.Derive(step); err != nil {
			t.Fatal(err)
		}
		if step >= hdkeychain.HardenedKeyStart {
			origin += fmt.Sprintf("/%dh", step-hdkeychain.HardenedKeyStart)
		} else {
			origin += fmt.Sprintf("/%d", step)
		}
	}
	if key, err = key.Neuter(); err != nil {
		t.Fatal(err)
	}
	return "[" + origin + "]", key.String()
}

// randomKey returns a key expression without the path after the xpub; one in four has no
// origin.
func randomKey(t testing.TB, random *rand.Rand) string {
	t.Helper()
	path := make([]uint32, random.IntN(5))
	for i := range path {
		path[i] = random.Uint32()
	}
	origin, xpub := public(t, signer(t, random.Int()), path...)
	if random.IntN(4) == 0 {
		return xpub
	}
	return origin + xpub
}

// TestDescriptors_SameAsCore compares random wallets of each kind with Bitcoin Core's
// interpretation; one of each kind has the maximum number of keys.
func TestDescriptors_SameAsCore(t *testing.T) {
	node := testkit.Bitcoind(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, kind := range []struct {
		open, close string
		most        int
	}{
		{"pkh(", ")", 1},
		{"wpkh(", ")", 1},
		{"sh(wpkh(", "))", 1},
		{"tr(", ")", 1},
		{"sh(multi(", "))", 15},
		{"sh(sortedmulti(", "))", 15},
		{"wsh(multi(", "))", 20},
		{"wsh(sortedmulti(", "))", 20},
		{"sh(wsh(multi(", ")))", 20},
		{"sh(wsh(sortedmulti(", ")))", 20},
	} {
		t.Run(kind.open, func(t *testing.T) {
			for i := range 5 {
				count := 1 + random.IntN(min(kind.most, 4))
				if i == 0 {
					count = kind.most
				}
				var keys []string
				for range count {
					path := strings.Repeat(fmt.Sprintf("/%d", random.Uint32()>>1), random.IntN(3))
					keys = append(keys, randomKey(t, random)+path+"/<0;1>/*")
				}
				if kind.most > 1 {
					keys = slices.Insert(keys, 0, fmt.Sprint(1+random.IntN(count)))
				}
				compareWithCore(t, node, kind.open+strings.Join(keys, ",")+kind.close)
			}
		})
	}
}

// TestFromKeys_SameAsCore compares wallets created from random keys with Bitcoin
// Core's interpretation.
func TestFromKeys_SameAsCore(t *testing.T) {
	node := testkit.Bitcoind(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for script, most := range map[string]int{"pkh": 1, "wpkh": 1, "sh-wpkh": 1, "tr": 1, "sh": 4, "wsh": 4, "sh-wsh": 4} {
		t.Run(script, func(t *testing.T) {
			for range 5 {
				var keys []string
				for range 1 + random.IntN(most) {
					keys = append(keys, randomKey(t, random))
				}
				policy, err := btc.FromKeys(keys, 1+random.IntN(len(keys)), script, btc.Regtest)
				if err != nil {
					t.Fatal(err)
				}
				again, err := btc.FromDescriptors(policy.Receive.String(), policy.Change.String(), btc.Regtest)
				if err != nil {
					t.Fatal(err)
				}
				if again.Description() != policy.Description() || string(policy.Script) != script || len(again.Keys) != len(keys) {
					t.Errorf("got %s, then %s", policy.Description(), again.Description())
				}
				compareBranch(t, node, policy.Receive)
				compareBranch(t, node, policy.Change)
			}
		})
	}
}

// compareWithCore compares a multipath descriptor and its branches with the node's
// interpretation.
func compareWithCore(t *testing.T, node *testkit.Node, text string) {
	t.Helper()
	both, err := btc.ParseDescriptor(text, btc.Regtest)
	if err != nil {
		t.Fatal(text, err)
	}
	var info struct {
		Expansion []string `json:"multipath_expansion"`
		Checksum  string
	}
	decode(t, node.CLI(t, "getdescriptorinfo", text), &info)
	receive, change := both.Split()
	if got := []string{receive.String(), change.String()}; !slices.Equal(got, info.Expansion) {
		t.Errorf("got %q\nwant %q", got, info.Expansion)
	}
	if want := text + "#" + info.Checksum; both.String() != want {
		t.Errorf("got %s\nwant %s", both, want)
	}
	compareBranch(t, node, receive)
	compareBranch(t, node, change)
}

func compareBranch(t *testing.T, node *testkit.Node, d btc.Descriptor) {
	t.Helper()
	var info struct{ Descriptor string }
	decode(t, node.CLI(t, "getdescriptorinfo", d.String()), &info)
	if d.String() != info.Descriptor {
		t.Errorf("got %s\nwant %s", d, info.Descriptor)
	}
	var want []string
	decode(t, node.CLI(t, "deriveaddresses", d.String(), []int{0, 19}), &want)
	deriver, err := d.Deriver()
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		got, err := deriver.Address(uint32(i))
		if err != nil || got != want[i] {
			t.Errorf("%s: address %d is %s, %v, want %s", d, i, got, err, want[i])
		}
	}
}

func decode(t *testing.T, text json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
