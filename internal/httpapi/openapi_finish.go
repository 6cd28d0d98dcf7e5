package httpapi

import (
	"fmt"
	"slices"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	"github.com/specterd/specterd/internal/httpapi/reference"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// finish adds number formats, null enum values and descriptions to all schemas, and
// examples to all responses.
func (s *schemas) finish(routes []route.Route) error {
	for name, schema := range s.Spec.Components.Schemas {
		finishSchema(schema)
		describeSchema(name, schema)
	}
	for name, r := range s.Spec.Components.Responses {
		s.exemplify(name, r.Response)
	}
	for _, to := range routes {
		op, err := s.operation(to)
		if err != nil {
			return err
		}
		s.finishOperation(op, to)
	}
	return nil
}

func (s *schemas) finishOperation(op *openapi31.Operation, to route.Route) {
	for _, p := range op.Parameters {
		finishSchema(p.Parameter.Schema)
	}
	if op.RequestBody != nil {
		finishContent(op.RequestBody.RequestBody.Content)
	}
	for status, r := range op.Responses.MapOfResponseOrReferenceValues {
		if r.Response != nil {
			finishContent(r.Response.Content)
			s.exemplify(to.Method+" "+to.Path+" "+status, r.Response)
		}
	}
}

func finishContent(content map[string]openapi31.MediaType) {
	for _, media := range content {
		finishSchema(media.Schema)
	}
}

// finishSchema completes a schema and its subschemas. It adds the format of numbers, because
// code generators would otherwise use float32 for amounts, and adds null to the enum of a
// nullable value.
func finishSchema(schema map[string]any) {
	name, nullable := reference.SimpleType(schema)
	format := map[string]string{"integer": "int64", "number": "double"}[name]
	if format != "" && schema["format"] == nil {
		schema["format"] = format
	}
	if values, ok := schema["enum"].([]any); ok && nullable && !slices.Contains(values, any(nil)) {
		schema["enum"] = append(values, nil)
	}
	for keyword, value := range schema {
		if keyword == "enum" || keyword == "examples" || keyword == "default" {
			continue // values, not schemas
		}
		finishWithin(value)
	}
}

func finishWithin(value any) {
	switch value := value.(type) {
	case map[string]any:
		finishSchema(value)
	case []any:
		for _, one := range value {
			finishWithin(one)
		}
	}
}

// describeSchema adds a description to a component and to its properties if they have
// none. It moves the default of a property into the description, because code generators
// treat a property with a default as always present, although it is optional in a request.
func describeSchema(name string, schema map[string]any) {
	if schema["description"] == nil {
		if text := schemaDescription(name); text != "" {
			schema["description"] = text
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for field, property := range properties {
		property, ok := property.(map[string]any)
		if !ok {
			continue
		}
		text, _ := property["description"].(string)
		if text == "" {
			text = propertyDescription(name, field)
		}
		if value, ok := property["default"]; ok {
			delete(property, "default")
			text = strings.TrimSpace(text + fmt.Sprintf(" Default: %v.", value))
		}
		if text != "" {
			property["description"] = text
		}
	}
}
