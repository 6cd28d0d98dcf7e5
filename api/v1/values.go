package v1

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// FeeRate is a fee rate in satoshis per virtual byte, with at most three decimals, from 0.001 to
// 100000. The shortest decimal form of a float64 is exact in this range.
type FeeRate float64

// Document is the text of a JSON object, such as a spending policy.
type Document []byte

// MarshalJSON implements json.Marshaler.
func (d Document) MarshalJSON() ([]byte, error) {
	if d == nil {
		return []byte("null"), nil
	}
	return d, nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Document) UnmarshalJSON(text []byte) error {
	*d = bytes.Clone(text)
	return nil
}

// JSONSchemaBytes returns the JSON schema of the type, for the OpenAPI specification.
func (Document) JSONSchemaBytes() ([]byte, error) {
	return []byte(`{"type":"object","additionalProperties":true}`), nil
}

// Start is the JSON of the block at which a rescan starts: the string "now", a block height, a
// date or a time. Now, AtHeight and AtTime return one.
type Start []byte

// Now starts at the current block: the wallet has no transactions yet.
func Now() Start { return Start(`"now"`) }

// AtHeight starts at the block with this height, from 0.
func AtHeight(height int) Start { return Start(strconv.Itoa(height)) }

// AtTime starts at the first block that can have been mined at or after a time.
func AtTime(at time.Time) Start { return Start(strconv.Quote(at.UTC().Format(time.RFC3339))) }

// MarshalJSON implements json.Marshaler.
func (s Start) MarshalJSON() ([]byte, error) { return Document(s).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Start) UnmarshalJSON(text []byte) error { return (*Document)(s).UnmarshalJSON(text) }

// Change is a new value for a field that can also be null. The zero value leaves the field
// unchanged.
type Change[T any] struct {
	set   bool
	value *T
}

// Set changes a field to a value.
func Set[T any](value T) Change[T] { return Change[T]{true, &value} }

// Clear changes a field to null, which removes its value.
func Clear[T any]() Change[T] { return Change[T]{set: true} }

// Get returns the new value, or nil for null, and whether there is a change.
func (c Change[T]) Get() (value *T, isSet bool) { return c.value, c.set }

// IsZero reports whether the field is unchanged, and therefore omitted.
func (c Change[T]) IsZero() bool { return !c.set }

// MarshalJSON implements json.Marshaler.
func (c Change[T]) MarshalJSON() ([]byte, error) { return json.Marshal(c.value) }

// UnmarshalJSON implements json.Unmarshaler.
func (c *Change[T]) UnmarshalJSON(text []byte) error {
	*c = Change[T]{set: true}
	return json.Unmarshal(text, &c.value)
}
