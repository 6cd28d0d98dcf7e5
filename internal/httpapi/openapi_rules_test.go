package httpapi

import (
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/httpapi/reference"
)

// visit calls f for every object in a document, with the path of the object, except for
// objects in examples and enums.
func visit(document any, f func(at string, schema object)) {
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch value := value.(type) {
		case object:
			f(at, value)
			for name, member := range value {
				if name != "examples" && name != "example" && name != "enum" {
					walk(at+"/"+name, member)
				}
			}
		case []any:
			for _, item := range value {
				walk(at, item)
			}
		}
	}
	walk("", document)
}

func isNullable(schema object) bool {
	_, nullable := reference.SimpleType(schema)
	return nullable
}

func TestSpecification_NullableEnumsContainNull(t *testing.T) {
	count := 0
	visit(describe(t), func(at string, schema object) {
		values, ok := schema["enum"].([]any)
		if !ok || !isNullable(schema) {
			return
		}
		if count++; !slices.Contains(values, any(nil)) {
			t.Errorf("%s is nullable, but its enum lacks null", at)
		}
	})
	if count == 0 {
		t.Error("no nullable enums were found")
	}
}

func TestSpecification_NumbersHaveFormats(t *testing.T) {
	count := 0
	visit(describe(t), func(at string, schema object) {
		name, _ := reference.SimpleType(schema)
		if want := map[string][]any{"integer": {"int64", "int32"}, "number": {"double"}}[name]; want != nil {
			if count++; !slices.Contains(want, schema["format"]) {
				t.Errorf("%s has the type %s, but the format %v", at, name, schema["format"])
			}
		}
	})
	if count < 100 {
		t.Errorf("only %d numbers were found", count)
	}
}

// TestSpecification_PropertiesHaveNoDefault checks that no property has a default, because
// TypeScript generators make such properties required, even in requests.
func TestSpecification_PropertiesHaveNoDefault(t *testing.T) {
	visit(at(t, describe(t), "components", "schemas"), func(at string, schema object) {
		if _, ok := schema["default"]; ok && schema["type"] != nil {
			t.Errorf("%s has a default", at)
		}
	})
}

// generatedSuffixes are the suffixes that client generators append to operation names.
var generatedSuffixes = []string{"Response", "Params", "Body", "JSONBody", "JSONRequestBody", "RequestObject", "ResponseObject"}

func TestSpecification_SchemaNamesDoNotCollide(t *testing.T) {
	document := describe(t)
	taken := map[string]string{}
	for _, to := range Routes(Options{}) {
		for _, suffix := range generatedSuffixes {
			taken[strings.ToLower(operationID(to)+suffix)] = operationID(to)
		}
	}
	schemas, _ := at(t, document, "components", "schemas").(object)
	seen := map[string]string{}
	for name := range schemas {
		lower := strings.ToLower(name)
		if operation, ok := taken[lower]; ok {
			t.Errorf("client generators use the name of the schema %s for the operation %s; rename its Go type", name, operation)
		}
		if other, ok := seen[lower]; ok {
			t.Errorf("the schemas %s and %s differ only in case", name, other)
		}
		seen[lower] = name
	}
}

func TestSpecification_EverythingHasADescription(t *testing.T) {
	document := describe(t)
	schemas, _ := at(t, document, "components", "schemas").(object)
	for name, schema := range schemas {
		if schema := schema.(object); schema["description"] == nil {
			t.Errorf("the schema %s has no description; add one to schemaDescriptions in openapi_text.go", name)
		} else if properties, ok := schema["properties"].(object); ok {
			for property, of := range properties {
				if of.(object)["description"] == nil {
					t.Errorf("%s.%s has no description; add a description tag to its field, or, if the name has one meaning in all schemas, an entry to propertyDescriptions in openapi_text.go", name, property)
				}
			}
		}
	}
	visit(at(t, document, "paths"), func(at string, schema object) {
		if schema["in"] != nil && schema["name"] != nil && schema["description"] == nil {
			t.Errorf("%s: the parameter %s has no description; add a description tag to its field", at, schema["name"])
		}
	})
	for _, tag := range document["tags"].([]any) {
		if tag.(object)["description"] == nil {
			t.Errorf("a tag has no description: %v", tag)
		}
	}
}

// TestSpecification_DescriptionsAreUsed checks that openapi_text.go has no unused entries.
func TestSpecification_DescriptionsAreUsed(t *testing.T) {
	schemas, _ := at(t, describe(t), "components", "schemas").(object)
	properties := map[string]bool{}
	for name, schema := range schemas {
		of, _ := schema.(object)["properties"].(object)
		for property := range of {
			properties[property], properties[name+"."+property], properties[name+".*"] = true, true, true
		}
	}
	for name := range schemaDescriptions {
		if schemas[name] == nil {
			t.Errorf("schemaDescriptions has %s, but there is no such schema", name)
		}
	}
	for name := range propertyDescriptions {
		if !properties[name] {
			t.Errorf("propertyDescriptions has %s, but no schema has this property", name)
		}
	}
}

func TestSpecification_EveryTagHasRoutes(t *testing.T) {
	used := map[string]bool{}
	for _, to := range Routes(Options{}) {
		used[tagOf(to.Path)] = true
	}
	for _, tag := range tags {
		if !used[tag.name] {
			t.Errorf("no route has the tag %s", tag.name)
		}
	}
}
