package httpapi

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/swaggest/openapi-go/openapi31"
)

// examplesFile has an example for each response, recorded by the tests:
//
//	go test ./internal/httpapi -run TestMatrix -examples
//
//go:embed examples.json
var examplesFile []byte

// readExamples returns the examples in examplesFile. The outer key is the method, path and
// status of a response, separated by spaces, or the name of its component. The inner key is
// the media type.
func readExamples() (map[string]map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(examplesFile))
	decoder.UseNumber() // amounts in bitcoins keep their decimals
	var examples map[string]map[string]any
	if err := decoder.Decode(&examples); err != nil {
		return nil, fmt.Errorf("read examples.json: %w", err)
	}
	return examples, nil
}

// exemplify adds the recorded examples to the specification of a response. See readExamples
// for the key.
func (s *schemas) exemplify(key string, response *openapi31.Response) {
	for mediaType, example := range s.examples[key] {
		if media, ok := response.Content[mediaType]; ok {
			media.Example = &example
			response.Content[mediaType] = media
		}
	}
}
