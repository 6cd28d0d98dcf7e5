package httpapi_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"testing"

	"github.com/specterd/specterd/internal/auth"
)

// leftOut are the members of a wallet that tell of Python objects and of the
// server's disk.
var leftOut = []string{"_rpc", "manager", "manager_rpc", "device_manager", "fullpath"}

// added are members that the original documents and dropped, or has for
// transactions only that it has just fetched.
var added = []string{"recv_descriptor", "change_descriptor", "devices", "full_utxo", "amount", "hex"}

// truer says of which values ours is another than the original's, and why. All
// others have to be equal.
var truer = map[string]*regexp.Regexp{
	"it has 0 and null":                     regexp.MustCompile(`\.(fee|vsize)$`),
	"it has null for taproot":               regexp.MustCompile(`\.ismine$`),
	"it has null where that is to be known": regexp.MustCompile(`\._transactions\.[^.]+\.confirmations$`),
	"it has Descriptor and Key":             regexp.MustCompile(`^\.[^.]+\.(descriptor|keys\.\d+)$`),
	"we have no proposals yet":              regexp.MustCompile(`^\.[^.]+\.pending_psbts$`),
	"it is the range that Core knows":       regexp.MustCompile(`^\.[^.]+\.(change_)?keypool$`),
	"Core's wallets are called otherwise":   regexp.MustCompile(`\.info\.walletname$`),
}

// TestWireWallets compares what we answer about the wallets of the recordings
// with what the original did: all names, all types, and all values but those that
// are truer.
func TestWireWallets(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		s.seedRecorded(t, admin)
		k := s.token(t, admin, auth.DefaultScopes)
		for alias, name := range recordings {
			x := readExchange(t, "../../testdata/wire/"+name+".txt")
			got := s.call(t, x.method, x.path, k.bearer(), "").want(t, x.status)
			var want map[string]any
			check(t, json.Unmarshal([]byte(x.answer), &want))
			trim(want, alias)
			for _, answer := range []map[string]any{want, got.fields} {
				sortRecords(answer["utxo"])
				sortRecords(answer["txlist"])
				sortRecords(answer[alias].(map[string]any)["_full_utxo"])
			}
			for _, difference := range compareValues("", want, got.fields) {
				t.Errorf("%s: %s", alias, difference)
			}
			wantSameOrder(t, x.answer, got.body)
			wantSameOrder(t, member(t, x.answer, alias), member(t, got.body, alias))
			s.call(t, x.method, x.path[:len(x.path)-1], k.bearer(), "").want(t, x.status)
		}
	})
}

// trim takes away of the original's answer what we leave out on purpose.
func trim(answer map[string]any, alias string) {
	w := answer[alias].(map[string]any)
	addresses := w["_addresses"].(map[string]any)
	for address, entry := range addresses {
		a := entry.(map[string]any)
		index, own := a["index"].(float64)
		next := w["address_index"].(float64)
		if a["change"] == true {
			next = w["change_index"].(float64)
		}
		if own && index >= next+20 {
			delete(addresses, address)
		}
	}
	answer["txlist"] = slices.DeleteFunc(answer["txlist"].([]any), func(r any) bool {
		return r.(map[string]any)["wallet_alias"] != alias
	})
}

// TestWireTransactions compares the list of all transactions.
func TestWireTransactions(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, s *server) {
		admin := s.user(t, "admin", true)
		s.seedRecorded(t, admin)
		// It was recorded before there was the fourth.
		k := s.token(t, admin, auth.DefaultScopes, "simple_one", "vault_23_fam", "tap")
		x := readExchange(t, "../../testdata/wire/17-full-txlist.txt")
		got := s.call(t, x.method, x.path, k.bearer(), "").want(t, x.status)
		var want, have []any
		check(t, json.Unmarshal([]byte(x.answer), &want))
		check(t, json.Unmarshal([]byte(got.body), &have))
		if !slices.IsSortedFunc(have, func(a, b any) int { return cmp.Compare(timeOf(b), timeOf(a)) }) {
			t.Error("they are not in the order of time")
		}
		sortRecords(want)
		sortRecords(have)
		for _, difference := range compareValues("", want, have) {
			t.Error(difference)
		}
	})
}

func timeOf(record any) float64 { return record.(map[string]any)["time"].(float64) }

// sortRecords brings records that have the same time into one order.
func sortRecords(list any) {
	name := func(r any) string {
		m := r.(map[string]any)
		return fmt.Sprint(m["txid"], m["wallet_alias"], m["vout"])
	}
	slices.SortFunc(list.([]any), func(a, b any) int { return cmp.Compare(name(a), name(b)) })
}

// compareValues returns where two JSON values differ.
func compareValues(at string, want, got any) (found []string) {
	for _, path := range truer {
		if path.MatchString(at) {
			return wantBetter(at, got)
		}
	}
	switch want := want.(type) {
	case map[string]any:
		return compareObjects(at, want, got)
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return []string{fmt.Sprintf("%s is %v, want %d elements", at, got, len(want))}
		}
		for i := range want {
			found = append(found, compareValues(fmt.Sprintf("%s.%d", at, i), want[i], list[i])...)
		}
		return found
	case float64: // with what floats make of amounts
		if n, ok := got.(float64); !ok || math.Abs(n-want) > 1e-9 {
			return []string{fmt.Sprintf("%s is %v, want %v", at, got, want)}
		}
		return nil
	}
	if want != got {
		return []string{fmt.Sprintf("%s is %v, want %v", at, got, want)}
	}
	return nil
}

func compareObjects(at string, want map[string]any, got any) (found []string) {
	object, ok := got.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s is %v, want an object", at, got)}
	}
	for name, value := range want {
		other, ok := object[name]
		switch {
		case slices.Contains(leftOut, name) && ok:
			found = append(found, fmt.Sprintf("%s.%s is there", at, name))
		case slices.Contains(leftOut, name):
		case !ok:
			found = append(found, fmt.Sprintf("%s.%s is missing", at, name))
		default:
			found = append(found, compareValues(at+"."+name, value, other)...)
		}
	}
	for name := range object {
		if _, ok := want[name]; !ok && !slices.Contains(added, name) {
			found = append(found, fmt.Sprintf("%s.%s is added", at, name))
		}
	}
	return found
}

// wantBetter checks that something is said where the original does not say it.
func wantBetter(at string, got any) []string {
	if got == nil && !regexp.MustCompile(`\.fee$`).MatchString(at) || got == "" || got == false {
		return []string{fmt.Sprintf("%s is %v, which is no better than in the original", at, got)}
	}
	return nil
}

// wantSameOrder checks that an object has the original's members in its order.
func wantSameOrder(t *testing.T, want, got string) {
	t.Helper()
	ours := names(t, got)
	last := -1
	for _, name := range names(t, want) {
		i := slices.Index(ours, name)
		if i < 0 {
			continue
		}
		if i < last {
			t.Errorf("%s is before %s", name, ours[last])
		}
		last = i
	}
}

// names returns the names of an object's members, in order.
func names(t *testing.T, object string) (found []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(object)))
	must(dec.Token())
	for dec.More() {
		found = append(found, must(dec.Token()).(string))
		var value json.RawMessage
		check(t, dec.Decode(&value))
	}
	return found
}

func member(t *testing.T, object, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	check(t, json.Unmarshal([]byte(object), &members))
	return string(members[name])
}
