package rpcclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ResultReader is a result that is read incrementally, so that a long one, such as
// listsinceblock with 100,000 transactions, is never completely in memory.
type ResultReader interface {
	// ReadResult reads exactly one JSON value from dec. The value is null if the call
	// failed.
	ReadResult(dec *jsontext.Decoder) error
}

// wireCall is a call in Core's JSON format. It uses JSON-RPC 1.0, whose responses are the
// same in all supported versions of Core; for 2.0, Core 28 and later use other HTTP
// statuses.
type wireCall struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  any    `json:"params"` // a list, or an object
}

type wireError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// answer is a response without its result. The result is decoded before the id is
// known, because Core writes the id last.
type answer struct {
	id      *uint64
	refusal *wireError
	result  bool
}

// readOne reads the response to the call with that id and decodes its result into out. It
// returns the node's error for a failed call; the second result reports an invalid
// response.
func readOne(dec *jsontext.Decoder, id uint64, out any) (*wireError, error) {
	a, err := readAnswer(dec, out)
	if err != nil {
		return nil, err
	}
	if a.id == nil || *a.id != id {
		return nil, protocolError("the id of another call, or no id")
	}
	return a.refusal, nil
}

// readBatch reads the responses to calls, in any order, into the corresponding
// requests.
func readBatch(dec *jsontext.Decoder, calls []wireCall, reqs []Request) error {
	open := make(map[uint64]*Request, len(calls))
	for i := range calls {
		open[calls[i].ID] = &reqs[i]
	}
	if err := expect(dec, '['); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var result json.RawMessage
		a, err := readAnswer(dec, &result)
		if err != nil {
			return err
		}
		if a.id == nil || open[*a.id] == nil {
			return protocolError("the id of an unknown call")
		}
		open[*a.id].settle(a, result)
		delete(open, *a.id)
	}
	if err := expect(dec, ']'); err != nil {
		return err
	}
	if len(open) > 0 {
		return protocolError("calls without a response")
	}
	return nil
}

// settle decodes the result into Out, or sets Err.
func (r *Request) settle(a answer, result json.RawMessage) {
	if a.refusal != nil {
		r.Err = a.refusal.rpcError(r.Method)
		return
	}
	r.Err = nil
	dec := newDecoder(bytes.NewBuffer(result))
	if err := readResult(dec, r.Out); err != nil {
		r.Err = invalidResponse(err)
	}
}

// readAnswer reads one response and decodes its result, if any, into out.
func readAnswer(dec *jsontext.Decoder, out any) (answer, error) {
	var a answer
	if err := expect(dec, '{'); err != nil {
		return a, err
	}
	seen := map[string]bool{}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return a, err
		}
		name := token.String()
		if seen[name] {
			return a, protocolError("a duplicate member")
		}
		seen[name] = true
		if err := a.readMember(dec, name, out); err != nil {
			return a, err
		}
	}
	if !a.result && a.refusal == nil {
		return a, protocolError("neither a result nor an error")
	}
	return a, expect(dec, '}')
}

func (a *answer) readMember(dec *jsontext.Decoder, name string, out any) error {
	switch name {
	case "result":
		a.result = true
		return readResult(dec, out)
	case "error":
		return jsonv2.UnmarshalDecode(dec, &a.refusal)
	case "id":
		return jsonv2.UnmarshalDecode(dec, &a.id)
	default: // jsonrpc
		return dec.SkipValue()
	}
}

func readResult(dec *jsontext.Decoder, out any) error {
	switch out := out.(type) {
	case nil:
		return dec.SkipValue()
	case ResultReader:
		return out.ReadResult(dec)
	case *json.RawMessage:
		value, err := dec.ReadValue()
		*out = append((*out)[:0], value...)
		return err
	default:
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		loose := json.NewDecoder(bytes.NewReader(value))
		loose.UseNumber()
		return loose.Decode(out)
	}
}

// newDecoder returns a decoder of responses. It is as strict about JSON as
// encoding/json, and several times as fast.
func newDecoder(from io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(from, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// expect reads one token, which must be the delimiter want.
func expect(dec *jsontext.Decoder, want jsontext.Kind) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if token.Kind() != want {
		return protocolError("not a JSON-RPC response")
	}
	return nil
}

// expectEnd returns nil if no input is left.
func expectEnd(dec *jsontext.Decoder) error {
	_, err := dec.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	return protocolError("data after the response")
}
