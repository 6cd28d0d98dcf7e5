package rpcclient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// FuzzAnswer decodes arbitrary data as the response to one call and to a batch. The data
// must be accepted, or rejected with a short ErrInvalidResponse that does not quote it.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"result":{"a":1},"error":null,"id":1}`,
		`{"result":null,"error":{"code":-28,"message":"x"},"id":1}`,
		`{"jsonrpc":"2.0","result":"x","id":1} `,
		`[{"result":1,"error":null,"id":2},{"result":null,"error":{"code":-8,"message":"x"},"id":1}]`,
		`[]`, `{`, `{"result":[[[[`, `nul`, "\xff", `{"id":1e0}`, `{"result":1,"result":2}`, `[{"id":1]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readers := map[string]func(*jsontext.Decoder) error{
			"one": func(dec *jsontext.Decoder) error {
				var out map[string]int
				_, err := readOne(dec, 1, &out)
				return err
			},
			"batch": func(dec *jsontext.Decoder) error {
				var out json.RawMessage
				reqs := []Request{{Method: "a", Out: &out}, {Method: "b", Out: new(string)}}
				return readBatch(dec, []wireCall{{ID: 1}, {ID: 2}}, reqs)
			},
		}
		for name, read := range readers {
			body := io.NopCloser(strings.NewReader(string(data)))
			err := decode(&http.Response{Body: body, ContentLength: -1}, 1<<20, read)
			switch {
			case err == nil && !json.Valid(data):
				t.Errorf("%s: accepted invalid JSON", name)
			case err != nil && !errors.Is(err, ErrInvalidResponse):
				t.Errorf("%s: got %v, want ErrInvalidResponse", name, err)
			case err != nil && len(err.Error()) > 200:
				t.Errorf("%s: the error is too long: %v", name, err)
			}
		}
	})
}
