package httpapi

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/btc"
)

// schemas creates the JSON Schemas of request and response types, and records the Go type of
// each schema.
type schemas struct {
	*openapi31.Reflector
	types    map[string]reflect.Type   // by the schema's name
	examples map[string]map[string]any // see readExamples
}

func newSchemas() *schemas {
	s := &schemas{Reflector: openapi31.NewReflector(), types: map[string]reflect.Type{}}
	s.InlineDefinition(jsontext.Value{})
	s.InlineDefinition(btc.Amount(0))
	s.InlineDefinition(api.FeeRate(0))
	s.InlineDefinition(api.Start{})
	s.InlineDefinition(json.RawMessage{})
	s.DefaultOptions = append(s.DefaultOptions,
		func(rc *jsonschema.ReflectContext) { rc.EnvelopNullability = true },
		jsonschema.InterceptDefName(func(t reflect.Type, _ string) string {
			name := schemaName(t)
			s.types[name] = t
			return name
		}),
		jsonschema.InterceptSchema(describeType),
		jsonschema.InterceptProp(describeField),
	)
	return s
}

// schemaName returns Token for v1.token, V1alphaTokenResponse for
// v1alpha.tokenResponse and TokenList for v1.list[token].
func schemaName(t reflect.Type) string {
	name, argument, generic := strings.Cut(strings.TrimSuffix(t.Name(), "]"), "[")
	name = upperFirst(name)
	if generic {
		if strings.HasPrefix(argument, "[]") {
			argument = "List"
		}
		name = upperFirst(argument[strings.LastIndexByte(argument, '.')+1:]) + name
	}
	if path.Base(t.PkgPath()) == "v1alpha" {
		name = "V1alpha" + name
	}
	return name
}

// encoded has the schemas of types of package api/v1 that encode themselves.
var encoded = map[reflect.Type]string{
	reflect.TypeFor[api.Change[api.FeeRate]](): `{"type":["number","null"]}`,
	reflect.TypeFor[api.Change[[]string]]():    `{"type":["array","null"],"items":{"type":"string"}}`,
}

// describeType leaves the schema of types with any JSON empty, and forbids unknown fields in
// request bodies of API versions that reject them.
func describeType(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	if of := p.Value.Type(); of == reflect.TypeFor[jsontext.Value]() || of == reflect.TypeFor[json.RawMessage]() || of == reflect.TypeFor[api.Start]() {
		return true, nil // an empty schema allows any JSON
	}
	if text, ok := encoded[p.Value.Type()]; ok {
		return true, p.Schema.UnmarshalJSON([]byte(text))
	}
	oc, ok := openapi.OperationCtx(p.Context)
	isBody := ok && p.Processed && !oc.IsProcessingResponse() && oc.ProcessingIn() == openapi.InBody && len(p.Context.Path) == 1
	if isBody && versionOf(oc.PathPattern()).strict == versionV1.strict {
		p.Schema.WithAdditionalProperties(jsonschema.SchemaOrBool{TypeBoolean: new(bool)})
	}
	return false, nil
}

// describeField adjusts the schema of a field to the JSON encoder, which omits only
// omitempty fields and encodes nil slices and maps as empty.
func describeField(p jsonschema.InterceptPropParams) error {
	if !p.Processed {
		return nil
	}
	if nullable := p.PropertySchema.AnyOf; len(nullable) == 2 { // null and a reference; a type in addition to AnyOf would exclude null
		p.PropertySchema.Type, nullable[1].TypeObject.Type = nil, nil
	}
	if types := p.Field.Tag.Get("oneof"); types != "" { // the decoder accepts any JSON; the tag lists the types that the handler accepts
		for name := range strings.SplitSeq(types, ",") {
			one := jsonschema.Schema{}
			one.WithType(jsonschema.SimpleType(name).Type())
			p.PropertySchema.OneOf = append(p.PropertySchema.OneOf, one.ToSchemaOrBool())
		}
	}
	kind := p.Field.Type.Kind()
	if (kind == reflect.Slice || kind == reflect.Map) && p.Field.Tag.Get("nullable") != "true" {
		p.PropertySchema.RemoveType(jsonschema.Null)
	}
	oc, ok := openapi.OperationCtx(p.Context)
	if ok && oc.IsProcessingResponse() && !strings.Contains(p.Field.Tag.Get("json"), ",omitempty") &&
		!slices.Contains(p.ParentSchema.Required, p.Name) {
		p.ParentSchema.Required = append(p.ParentSchema.Required, p.Name)
	}
	return nil
}

// initialisms are the abbreviations that are written in capitals at the beginning of schema
// names, as in UTXOListAsOf.
var initialisms = []string{"csv", "id", "psbt", "url", "utxo"}

// upperFirst converts the first letter of an identifier, or the initialism at its beginning,
// to upper case.
func upperFirst(s string) string {
	first := strings.IndexFunc(s, unicode.IsUpper)
	if first < 0 {
		first = len(s)
	}
	if slices.Contains(initialisms, s[:first]) {
		return strings.ToUpper(s[:first]) + s[first:]
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// component adds the schema of a value's type to the components and returns a
// reference to it.
func (s *schemas) component(value any) (map[string]any, error) {
	schema, err := s.Reflect(value, jsonschema.RootRef,
		jsonschema.DefinitionsPrefix("#/components/schemas/"),
		jsonschema.CollectDefinitions(func(name string, schema jsonschema.Schema) {
			if m, err := schema.ToSchemaOrBool().ToSimpleMap(); err == nil {
				s.Spec.ComponentsEns().WithSchemasItem(name, m)
			}
		}))
	if err != nil {
		return nil, err
	}
	return schema.ToSchemaOrBool().ToSimpleMap()
}
