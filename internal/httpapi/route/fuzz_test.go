package route

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/specterd/specterd/internal/fault"
)

// everything is a request type with a field of each type that requests use.
type everything struct {
	ID          string         `path:"id" json:"-"`
	Description string         `json:"description"`
	Lifetime    *string        `json:"lifetime"`
	ExpiresAt   *time.Time     `json:"expires_at"`
	Scopes      []string       `json:"scopes"`
	Admin       bool           `json:"admin"`
	Disabled    *bool          `json:"disabled"`
	Count       int64          `json:"count"`
	Any         jsontext.Value `json:"any"`
}

// FuzzRequestBody checks that DecodeJSON either rejects a body with a fault of kind Invalid
// or decodes it to the same values as the standard library.
func FuzzRequestBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"description": "a", "lifetime": "1 day", "scopes": ["node:read", "x"], "admin": true, "disabled": false, "count": -5}`,
		`{"expires_at": "2027-01-31T12:00:00.5+01:00", "any": {"a": [1, null, "x"]}}`, `{"any": 1e400}`, `{"any": null, "lifetime": null}`,
		`{"description": "a", "description": "b"}`, `{"Description": "a"}`, `{"deſcription": "a"}`, `{"any": {"x": 1, "\u0078": 2}}`,
		`{"description": "\ud800"}`, "{\"description\": \"\xff\"}", `{"x": 1}`, `{} x`, `null`, `[]`, ``, `{"count": 1.0}`, `{"count": 9223372036854775808}`,
		`{"any": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}`, `{"admin": "true"}`, `{"scopes": "x"}`, `{"scopes": [null]}`, `{"ID": "x", "id": "y"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, tolerant everything
		strictErr, tolerantErr := DecodeJSON(body, &strict, RefuseUnknown), DecodeJSON(body, &tolerant, TolerateUnknown)
		for _, err := range []error{strictErr, tolerantErr} {
			if err != nil && fault.KindOf(err) != fault.Invalid {
				t.Fatalf("refused, but not as Invalid: %v", err)
			}
		}
		if strictErr == nil && (tolerantErr != nil || !reflect.DeepEqual(strict, tolerant)) {
			t.Fatalf("strict takes %+v, tolerant %+v, %v", strict, tolerant, tolerantErr)
		}
		if tolerantErr == nil {
			checkTaken(t, body, tolerant)
		}
	})
}

// checkTaken compares an accepted body with the result of the standard library, whose
// decoder has different bugs than the decoder under test.
func checkTaken(t *testing.T, body []byte, got everything) {
	t.Helper()
	if !utf8.Valid(body) {
		t.Fatal("takes invalid UTF-8")
	}
	depth, err := walk(stdjson.NewDecoder(bytes.NewReader(body)))
	if err != nil {
		t.Fatalf("takes it, and the standard library does not: %v", err)
	}
	if depth > maxDepth {
		t.Fatalf("takes %d levels", depth)
	}
	if got.ID != "" {
		t.Fatal("a parameter of the path is taken from the body")
	}
	var std struct {
		Description string   `json:"description"`
		Lifetime    *string  `json:"lifetime"`
		Scopes      []string `json:"scopes"`
		Count       int64    `json:"count"`
	}
	if err := stdjson.Unmarshal(body, &std); err == nil {
		if std.Description != got.Description || !reflect.DeepEqual(std.Lifetime, got.Lifetime) || std.Count != got.Count || len(std.Scopes) != len(got.Scopes) {
			t.Fatalf("decoded as %+v, by the standard library as %+v", got, std)
		}
	}
	encoded, err := json.Marshal(got)
	if err != nil {
		t.Fatalf("takes what cannot be written: %v", err)
	}
	var again everything
	if err := DecodeJSON(encoded, &again, RefuseUnknown); err != nil {
		t.Fatalf("does not take its own: %s: %v", encoded, err)
	}
	if twice, err := json.Marshal(again); err != nil || !bytes.Equal(encoded, twice) {
		t.Fatalf("%s becomes %s, %v", encoded, twice, err)
	}
}

var errTwice = errors.New("a key twice")

// walk reads one value and returns its nesting depth. It returns an error for a duplicate
// key in an object, and for data after the value.
func walk(dec *stdjson.Decoder) (deepest int, err error) {
	dec.UseNumber()            // without it, numbers beyond float64 are rejected
	var keys []map[string]bool // one entry for each open object or list; nil for a list
	expectKey := false
	for {
		token, err := dec.Token()
		if err != nil {
			return deepest, err
		}
		switch token := token.(type) {
		case stdjson.Delim:
			switch token {
			case '{':
				keys = append(keys, map[string]bool{})
			case '[':
				keys = append(keys, nil)
			default:
				keys = keys[:len(keys)-1]
			}
			deepest = max(deepest, len(keys))
			expectKey = len(keys) > 0 && keys[len(keys)-1] != nil
		case string:
			if expectKey {
				if keys[len(keys)-1][token] {
					return deepest, errTwice
				}
				keys[len(keys)-1][token] = true
				expectKey = false
				continue
			}
			expectKey = len(keys) > 0 && keys[len(keys)-1] != nil
		default:
			expectKey = len(keys) > 0 && keys[len(keys)-1] != nil
		}
		if len(keys) == 0 {
			if _, err := dec.Token(); !errors.Is(err, io.EOF) {
				return deepest, errors.New("something behind")
			}
			return deepest, nil
		}
	}
}
