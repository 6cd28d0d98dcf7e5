package policy

import (
	"bytes"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/specterd/specterd/internal/btc"
	"github.com/specterd/specterd/internal/fault"
)

// Any document is refused with a fault, or is a policy whose canonical form is the same
// policy.
func FuzzParser(f *testing.F) {
	f.Add([]byte(complete), "wallet")
	f.Add([]byte(completeCanonical), "server")
	f.Add([]byte(`{"version": 1, "allow": [{"name": "é", "hours": {"zone": "UTC"}, "approvals": {"count": 1}}], "deny": []}`), "token")
	f.Add([]byte(`{"entries": [{"address": "`+address+`", "label": "ACME"}]}`), "wallet")
	f.Add([]byte(`{"version": 1, "version": 2, "alow": [null]}`), "member")
	f.Fuzz(func(t *testing.T, data []byte, kind string) {
		p := parser
		p.Kind = Kind(kind)
		checkParse(t, data, func(data []byte) ([]byte, error) {
			got, err := p.Policy(data)
			canonical := got.Canonical()
			if err == nil {
				describeAll(t, got, p.Kind)
			}
			return canonical, err
		}, func(data []byte) ([]byte, error) {
			got, err := ParseStored(p.Kind, data)
			return got.Canonical(), err
		})
		list := func(parse func(data []byte) ([]Target, error)) func(data []byte) ([]byte, error) {
			return func(data []byte) ([]byte, error) {
				got, err := parse(data)
				return CanonicalList(got), err
			}
		}
		checkParse(t, data, list(p.List), list(ParseStoredList))
	})
}

// checkParse parses a document, and the canonical form of the result again. Both functions
// return the canonical form.
func checkParse(t *testing.T, data []byte, parse, parseStored func(data []byte) ([]byte, error)) {
	t.Helper()
	canonical, err := parse(data)
	if err != nil {
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid || e.Message == "" || !utf8.ValidString(e.Message) {
			t.Fatalf("%q: %v", data, err)
		}
		return
	}
	again, err := parseStored(canonical)
	if err != nil || !bytes.Equal(canonical, again) {
		t.Fatalf("%s\n%s, %v", canonical, again, err)
	}
}

// describeAll calls the functions that take any policy.
func describeAll(t *testing.T, p Policy, kind Kind) {
	t.Helper()
	for _, paragraph := range p.Describe(kind, names) {
		for _, s := range paragraph.Sentences {
			checkSentence(t, s)
		}
	}
	if got := Narrower(p, p); len(got) > 0 {
		t.Fatalf("got %+v", got)
	}
	for i := range p.Allow { // derive few addresses
		for j := range p.Allow[i].To {
			p.Allow[i].To[j].UpTo = min(p.Allow[i].To[j].UpTo, 2)
		}
	}
	if _, _, err := ColdcardHSM(p, ColdcardOptions{Network: btc.Main}); err != nil {
		t.Fatal(err)
	}
}
