// Package v1 has the JSON of the requests and responses of specterd's API, /api/v1. The server
// and the package client use the same types.
//
// Each type has the name of its schema in the OpenAPI specification, and the tag description of
// a field documents the field, with its range and its default.
//
//   - Amounts are int64, in satoshis; the names of their JSON fields end in _sat.
//   - Fee rates are of type FeeRate, in satoshis per virtual byte; the names of their JSON fields
//     end in _sat_vb.
//   - Times are in UTC, with a precision of microseconds.
//   - A nil pointer in a response is null. In a request, the zero value of an optional field is
//     omitted: new(false) and new("") send a value where the server must tell it from a missing
//     one, and a slice that is empty but not nil is sent as an empty list.
//
// Later versions of the server can add fields to responses, optional fields to requests, and
// values to text fields such as a status or the kind of an event. Use the names of the fields in
// composite literals.
package v1

// List is a page of a list.
type List[T any] struct {
	Items      []T     `json:"items" required:"true" nullable:"false"`
	NextCursor *string `json:"next_cursor" required:"true" description:"Value of cursor for the next page; null on the last page."`
}

// ListAsOf is a page of a list, and the block that it is current to.
type ListAsOf[T any] struct {
	List[T]
	AsOf *AsOf `json:"as_of" required:"true" description:"The block that the list is current to, at least; null before the first."`
}

// HealthResponse is the result of a probe.
type HealthResponse struct {
	Message string `json:"message"`
}
