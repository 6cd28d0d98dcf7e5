package httpapi

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/swaggest/openapi-go/openapi31"

	api "github.com/specterd/specterd/api/v1"
	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// errorDescriptions describe the error statuses, for both API versions.
var errorDescriptions = map[int]string{
	http.StatusBadRequest:            "The request is malformed or contains an invalid value.",
	http.StatusUnauthorized:          "The credential is missing, invalid, expired, revoked, or of a kind that the operation does not accept.",
	http.StatusForbidden:             "Insufficient permissions.",
	http.StatusNotFound:              "The resource does not exist or is not yours.",
	http.StatusGone:                  "Events after this position were deleted, or the database was restored from a backup (events_pruned); or the event of a delivery was deleted (event_deleted).",
	http.StatusConflict:              "The request conflicts with the current state; code contains the reason.",
	http.StatusPreconditionFailed:    "The resource has changed since the version in If-Match, or, in v1alpha, the funds of the wallet are insufficient.",
	http.StatusRequestEntityTooLarge: fmt.Sprintf("The body is larger than %d bytes, or than the description of the request body allows.", route.DefaultMaxBody),
	http.StatusUnsupportedMediaType:  "The Content-Type is not accepted. Unless otherwise specified, it must be application/json.",
	http.StatusUnprocessableEntity:   "The Idempotency-Key was already used for another request.",
	http.StatusTooManyRequests:       "Too many failed password attempts, too many logins in progress, or too many requests or streams of the user in progress (too_many_requests, too_many_streams).",
	http.StatusBadGateway:            "Invalid response from the Bitcoin node, or a call that the node refused for an unknown reason (node_error).",
	http.StatusServiceUnavailable:    "The database or the node is unavailable, or too many requests are in progress (server_busy).",
}

var errorHeaders = map[int]struct{ name, description string }{
	http.StatusUnauthorized:       {"WWW-Authenticate", "A challenge for each accepted kind of credential: Basic (RFC 7617), Bearer (RFC 6750)."},
	http.StatusForbidden:          {"WWW-Authenticate", "If the token lacks a scope: a Bearer challenge with error=\"insufficient_scope\" and the required scope."},
	http.StatusTooManyRequests:    {"Retry-After", "Seconds to wait before retrying."},
	http.StatusServiceUnavailable: {"Retry-After", "Seconds to wait before retrying, if known."},
}

// errorResponse returns a reference to the response component for an error status in the
// API version of the path. It adds the component if it does not exist.
func (s *schemas) errorResponse(path string, status int) (openapi31.ResponseOrReference, error) {
	name, contentType, body := "Problem", "application/problem+json", any(api.Problem{})
	if apiOf(path) != "v1" {
		name, contentType, body = "Message", "application/json", message{}
	}
	name += strconv.Itoa(status)
	reference := openapi31.ResponseOrReference{Reference: &openapi31.Reference{Ref: "#/components/responses/" + name}}
	if _, ok := s.Spec.ComponentsEns().Responses[name]; ok {
		return reference, nil
	}
	schema, err := s.component(body)
	if err != nil {
		return reference, err
	}
	response := (&openapi31.Response{}).WithDescription(errorDescriptions[status]).
		WithContentItem(contentType, openapi31.MediaType{Schema: schema})
	if h, ok := errorHeaders[status]; ok {
		header := openapi31.Header{Description: &h.description, Schema: map[string]any{"type": "string"}}
		response.WithHeadersItem(h.name, openapi31.HeaderOrReference{Header: &header})
	}
	s.Spec.Components.WithResponsesItem(name, openapi31.ResponseOrReference{Response: response})
	return reference, nil
}

// errorStatuses returns the error statuses that a route can return, in ascending order.
func errorStatuses(op *openapi31.Operation, to route.Route) []int {
	statuses := []int{http.StatusServiceUnavailable}
	add := func(when bool, status ...int) {
		if when {
			statuses = append(statuses, status...)
		}
	}
	creates := to.Handler.Status == http.StatusCreated
	takes := func(name string) bool {
		return slices.ContainsFunc(op.Parameters, func(p openapi31.ParameterOrReference) bool { return p.Parameter.Name == name })
	}
	waits, proposes := takes("min_height"), apiOf(to.Path) == "v1alpha" && to.Scope == auth.ProposalsCreate
	add(len(op.Parameters) > 0 || op.RequestBody != nil || apiOf(to.Path) == "v1", http.StatusBadRequest) // v1 rejects unknown parameters
	add(to.Credentials != route.Public, http.StatusUnauthorized, http.StatusForbidden)
	add(namesOneResource(to) || hasNoEmptyList(to), http.StatusNotFound)
	add(apiOf(to.Path) == "v1alpha" && to.Method == http.MethodPost, http.StatusConflict) // for an exceeded quota
	add(proposes || takes("If-Match"), http.StatusPreconditionFailed)
	add(apiOf(to.Path) == "v1" && (creates || waits || dependsOnState(to) || to.Handler.Name == "ExportWallet"), http.StatusConflict) // v1alpha returns 400, as Specter Desktop does
	add(op.RequestBody != nil, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	add(to.Credentials.TakesBasic() || to.Credentials != route.Public && (isLimited(&to) || op.RequestBody != nil), http.StatusTooManyRequests)
	add(takes("kinds"), http.StatusGone)
	add(to.Handler.Name == "Redeliver", http.StatusGone)
	add(to.Handler.TakesIdempotencyKey, http.StatusUnprocessableEntity)
	add(to.Handler.RequiresNode, http.StatusBadGateway)
	slices.Sort(statuses)
	return statuses
}

// dependsOnState reports whether the route makes a change that an existing wallet, user or
// webhook can refuse because of its state.
func dependsOnState(to route.Route) bool {
	if to.Scope == auth.WebhooksWrite {
		return to.Method != http.MethodDelete
	}
	return to.Method != http.MethodGet && to.Role != route.AnyRole
}

// isLimited reports whether the server limits the number of requests to the route that are
// in progress.
func isLimited(to *route.Route) bool { return to.Handler.IsHeavy || to.Handler.Media != nil }

// namesOneResource reports whether the path names one resource, so that the route returns 404
// if it does not exist. v1alpha returns 403 for wallets that do not exist.
func namesOneResource(to route.Route) bool {
	return strings.Contains(to.Path, "{") && (apiOf(to.Path) != "v1alpha" || !to.Role.OfWallet())
}

// hasNoEmptyList reports whether the route returns 404 instead of an empty list, as
// Specter Desktop does.
func hasNoEmptyList(to route.Route) bool {
	return apiOf(to.Path) == "v1alpha" && to.Handler.Name == "ListTokens"
}
