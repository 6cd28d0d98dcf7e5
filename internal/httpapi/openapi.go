package httpapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"

	"github.com/specterd/specterd/internal/httpapi/reference"
	"github.com/specterd/specterd/internal/httpapi/route"
	"github.com/specterd/specterd/internal/idempotency"
)

const about = `specterd is a multi-user REST API for the watch-only wallets of a Bitcoin node, ` +
	`with access tokens that can be limited, listed and revoked. ` +
	`It holds no private key: it creates proposals with PSBTs, which are signed elsewhere.`

const conventions = `

Use /api/v1: it has cursor pagination, problem documents (RFC 9457) as errors, and tokens that are limited by scopes. /api/v1alpha is for existing clients of Specter Desktop.

Bodies are JSON, in UTF-8. Amounts are whole satoshis, in fields that end in _sat; fee rates are satoshis per virtual byte, in fields that end in _sat_vb. Times are RFC 3339 in UTC. Every path is also served with a trailing slash, and every GET also as HEAD. ` +
	`Every response has the header X-Request-Id. In addition to the listed errors, any request can fail with 404 if the API is not active, 413 if its body is too large, 421 if the server does not serve the host name of the request, and 500 on an internal error.`

// Describe returns the OpenAPI 3.1 specification of the routes as JSON. It is
// byte-identical for the same routes and version.
func Describe(routes []route.Route, version string) ([]byte, error) {
	s, err := specify(routes, version)
	if err != nil {
		return nil, err
	}
	return encode(s)
}

func encode(s *schemas) ([]byte, error) {
	document, err := json.MarshalIndent(s.Spec, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the API's description: %w", err)
	}
	return append(document, '\n'), nil
}

func specify(routes []route.Route, version string) (*schemas, error) {
	s := newSchemas()
	var err error
	if s.examples, err = readExamples(); err != nil {
		return nil, err
	}
	s.Spec.Info.WithTitle("specterd").WithVersion(version).WithDescription(about + conventions)
	s.Spec.Info.LicenseEns().WithName("MIT").WithIdentifier("MIT")
	s.Spec.WithServers(openapi31.Server{URL: "/"})
	for _, t := range tags {
		s.Spec.Tags = append(s.Spec.Tags, openapi31.Tag{Name: t.name, Description: &t.description})
	}
	s.Spec.SetHTTPBasicSecurity("basic", "A user's name and password.")
	s.Spec.SetHTTPBearerTokenSecurity("bearer", "JWT", "An access token, created with POST /api/v1/tokens or POST /api/v1alpha/token and limited by its scopes.")
	for _, to := range routes {
		if err := s.add(to); err != nil {
			return nil, fmt.Errorf("describe %s %s: %w", to.Method, to.Path, err)
		}
	}
	return s, s.finish(routes)
}

// add adds the operation of one route to the specification.
func (s *schemas) add(to route.Route) error {
	oc, err := s.NewOperationContext(to.Method, to.Path)
	if err != nil {
		return err
	}
	oc.SetID(operationID(to))
	oc.SetSummary(to.Summary)
	oc.SetDescription(access(to))
	oc.SetTags(tagOf(to.Path))
	if to.Handler.In != reflect.TypeFor[route.None]() {
		oc.AddReqStructure(reflect.New(to.Handler.In).Interface())
	}
	for _, media := range to.Handler.Media {
		oc.AddRespStructure(reflect.Zero(media.Of).Interface(), openapi.WithHTTPStatus(to.Handler.Status), openapi.WithContentType(media.Type))
	}
	var out any
	if to.Handler.Out != reflect.TypeFor[route.None]() {
		out = reflect.New(to.Handler.Out).Interface()
	}
	if to.Handler.Media == nil {
		oc.AddRespStructure(out, openapi.WithHTTPStatus(to.Handler.Status))
	}
	if err := s.AddOperation(oc); err != nil {
		return err
	}
	op, err := s.operation(to)
	if err != nil {
		return err
	}
	return s.complete(op, to)
}

// operation returns the operation of a route, which must have been added.
func (s *schemas) operation(to route.Route) (*openapi31.Operation, error) {
	item := s.Spec.Paths.MapOfPathItemValues[to.Path]
	return item.Operation(to.Method)
}

// complete adds the parts of an operation that do not follow from the Go types: text bodies,
// security requirements, additional headers and responses, and errors.
func (s *schemas) complete(op *openapi31.Operation, to route.Route) error {
	if text := to.Handler.Text; text != nil {
		if !text.OrJSON {
			op.RequestBody = &openapi31.RequestBodyOrReference{RequestBody: &openapi31.RequestBody{}}
		}
		op.RequestBody.RequestBody.Description = &text.Description
		for _, mediaType := range text.Types {
			op.RequestBody.RequestBody.WithContentItem(mediaType, openapi31.MediaType{Schema: textSchema(text, mediaType)})
		}
	}
	if op.RequestBody != nil {
		describeBody(op.RequestBody.RequestBody, to.Handler)
	}
	op.Parameters = slices.DeleteFunc(op.Parameters, func(p openapi31.ParameterOrReference) bool {
		return p.Parameter.Name == "Accept" // OpenAPI ignores it: the responses list the media types
	})
	for _, p := range op.Parameters {
		delete(p.Parameter.Schema, "description") // the parameter has the same description
		if name, _ := reference.SimpleType(p.Parameter.Schema); name != "" {
			p.Parameter.Schema["type"] = name // an optional parameter is not nullable
		}
	}
	s.completeResponses(op, to.Handler)
	if to.Handler.TakesIdempotencyKey {
		key := openapi31.Parameter{Name: keyHeader, In: openapi31.ParameterInHeader, Schema: map[string]any{"type": "string", "minLength": 1, "maxLength": idempotency.MaxKey}}
		key.WithDescription("A unique string that you choose, such as a UUID, to send again only when you retry this request. For 24 hours, a retry receives the response to the first request and is not executed again.")
		op.Parameters = append(op.Parameters, openapi31.ParameterOrReference{Parameter: &key})
	}
	if to.Credentials.TakesBearer() {
		op.Security = append(op.Security, map[string][]string{"bearer": to.Scope.Names()})
	}
	if to.Credentials.TakesBasic() {
		op.Security = append(op.Security, map[string][]string{"basic": {}})
	}
	if to.Credentials == route.Public {
		op.WithMapOfAnythingItem("security", []any{}) // the encoder omits an empty op.Security
	}
	if to.Credentials.NeedsScope() {
		op.WithMapOfAnythingItem("x-required-scope", to.Scope.String())
	}
	if to.Role != route.AnyRole {
		op.WithMapOfAnythingItem("x-required-role", string(to.Role))
	}
	for _, status := range errorStatuses(op, to) {
		response, err := s.errorResponse(to.Path, status)
		if err != nil {
			return err
		}
		op.Responses.WithMapOfResponseOrReferenceValuesItem(strconv.Itoa(status), response)
	}
	return nil
}

// textSchema returns the schema of a body that is not a JSON object.
func textSchema(text *route.Text, mediaType string) map[string]any {
	whole := map[string]any{"type": "string"}
	if mediaType != route.FormData && mediaType != route.FormURLEncoded {
		return whole
	}
	return map[string]any{"type": "object", "properties": map[string]any{text.FormField: whole}, "required": []string{text.FormField}}
}

// describeBody sets whether a body is required, and adds the maximum size to the
// description of the body if it is not the default.
func describeBody(body *openapi31.RequestBody, h route.Handler) {
	body.WithRequired(h.NeedsBody)
	if h.MaxBody == route.DefaultMaxBody {
		return
	}
	text := ""
	if body.Description != nil {
		text = *body.Description + " "
	}
	body.WithDescription(text + fmt.Sprintf("At most %d bytes.", h.MaxBody))
}

// completeResponses adds the headers and the success responses that do not follow from the
// Go types.
func (s *schemas) completeResponses(op *openapi31.Operation, h route.Handler) {
	responses := op.Responses.MapOfResponseOrReferenceValues
	success := responses[strconv.Itoa(h.Status)]
	text := map[string]any{"type": "string"}
	versioned := h.Out.Implements(reflect.TypeFor[route.Versioned]())
	if h.HasETag || versioned {
		etag := "Entity tag of the response, for If-None-Match."
		if versioned {
			etag = "Version of the resource, for If-Match and If-None-Match. Absent from a response that is repeated for an Idempotency-Key."
		}
		success.Response.WithHeadersItem("ETag", openapi31.HeaderOrReference{Header: &openapi31.Header{Description: &etag, Schema: text}})
	}
	if h.OtherStatus != 0 {
		other := *success.Response
		other.Content = maps.Clone(other.Content) // each media type has its own example
		other.Description = http.StatusText(h.OtherStatus)
		responses[strconv.Itoa(h.OtherStatus)] = openapi31.ResponseOrReference{Response: &other}
	}
	if h.ShownScope != 0 {
		unseen := (&openapi31.Response{}).WithDescription("Done. The token lacks the scope " + h.ShownScope.String() + ", which the response body requires.")
		unseen.Headers = success.Response.Headers
		responses["204"] = openapi31.ResponseOrReference{Response: unseen}
	}
	if !h.HasETag {
		return
	}
	responses["304"] = openapi31.ResponseOrReference{Response: (&openapi31.Response{}).WithDescription("The response is the same as the one whose ETag was sent.")}
	known := openapi31.Parameter{Name: "If-None-Match", In: openapi31.ParameterInHeader, Schema: text}
	known.WithDescription("ETag of an earlier response. If the response is unchanged, the server returns 304 without a body.")
	op.Parameters = append(op.Parameters, openapi31.ParameterOrReference{Parameter: &known})
}

// operationID returns the operation id of a route: the handler's name, which is unique
// within v1, with a prefix in v1alpha.
func operationID(to route.Route) string {
	if apiOf(to.Path) == "v1alpha" {
		return "v1alpha" + to.Handler.Name
	}
	return lowerFirst(to.Handler.Name)
}

// access describes the credentials and permissions that a route requires.
func access(to route.Route) string {
	var text string
	switch to.Credentials {
	case route.Public:
		return "Requires no credentials."
	case route.Basic:
		text = "Requires a user name and password."
	case route.Bearer:
		text = "Requires a token with the scope " + to.Scope.String() + "."
	case route.BasicOrBearer:
		text = "Requires a token with the scope " + to.Scope.String() + ", or a user name and password."
	case route.AnyToken:
		text = "Requires any token, or a user name and password."
	case route.OwnToken:
		text = "Requires any token."
	case route.Password:
		text = "Requires a user name and password. A token is refused (password_required)."
	}
	switch {
	case to.Role == route.Admin:
		text += " Requires an admin."
	case to.Role.OfWallet():
		text += " Requires at least the role " + string(to.Role) + " in the wallet."
	}
	if to.Handler.RequiresNode {
		text += " Requires the Bitcoin node to be available."
	}
	if to.Handler.ShownScope != 0 {
		text += " Without the scope " + to.Handler.ShownScope.String() + " the response has no body."
	}
	return text
}
