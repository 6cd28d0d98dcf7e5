package httpapi_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/auth"
	"github.com/specterd/specterd/internal/httpapi"
	"github.com/specterd/specterd/internal/httpapi/route"
)

// fieldsFile lists the scopes that allow a caller to read each property of each response. Each
// line has Schema.property, followed by one or more scopes, of which one suffices. Instead of a
// scope it has "anyone" if no scope is required, and "own" if the property is about the
// caller's own user or token.
const fieldsFile = "testdata/response_fields.txt"

// creating has the handlers whose responses show the resource that the request created or
// deleted, or the result for the submitted data, even if the caller lacks the scope to read
// it. Each value describes the content of the response.
var creating = map[string]string{
	"CreateToken":         "the token",
	"RotateToken":         "the token",
	"CreateUser":          "the user",
	"CreateWallet":        "the wallet, whose descriptor was sent",
	"InspectWallet":       "the wallet in the file that was sent",
	"CreateAddress":       "the address",
	"CreateInvitation":    "the invitation",
	"CreateProposal":      "the proposal, without signatures",
	"CreatePSBT":          "the proposal, without signatures",
	"BumpProposal":        "the proposal, without signatures",
	"CreateWebhook":       "the webhook",
	"SimulatePolicy":      "what the policies say about the payment that was sent",
	"PutServerPolicy":     "the change, by an admin with a password",
	"DeleteServerPolicy":  "the change, by an admin with a password",
	"RotateWebhookSecret": "the secret",
	"ImportLabels":        "which of the lines were imported",
	"DeleteToken":         "which tokens were deleted and which were kept",
	"DeleteUserToken":     "which tokens were deleted and which were kept",
}

// checkedByHandler has the properties that the handler leaves empty if the caller lacks the
// scope for them.
var checkedByHandler = map[string]bool{
	"V1alphaWalletObject.pending_psbts":    true, // see testProposalRoles
	"V1alphaSpecterResponse.alias_name":    true, // see TestSpecter_RequiresWalletsScope
	"V1alphaSpecterResponse.name_alias":    true,
	"V1alphaSpecterResponse.wallets_alias": true,
	"V1alphaSpecterResponse.wallets_names": true,
	"V1alphaSpecterResponse.devices_names": true,
}

// TestFields checks that fieldsFile lists every property of every response, and that no route
// shows a property to a token that lacks the scopes to read it. TestMatrix covers tokens without
// the scope of a route or of its response, and TestProposals covers signatures.
func TestFields(t *testing.T) {
	t.Parallel()
	classes := fieldClasses()
	found := map[string]bool{}
	for _, to := range httpapi.Routes(httpapi.Options{}) {
		fields := map[string]bool{}
		item := in(theSpecification().document, "paths", to.Path, strings.ToLower(to.Method), "responses")
		for status, response := range item {
			if strings.HasPrefix(status, "2") {
				collectFields(response, fields)
			}
		}
		for _, field := range slices.Sorted(maps.Keys(fields)) {
			found[field] = true
			if class, ok := classes[field]; !ok {
				t.Errorf("%s %s: add to %s the scope that reads %s", to.Method, to.Path, fieldsFile, field)
			} else if !checkedByHandler[field] && !isCovered(to, class) {
				t.Errorf("%s %s shows %s to tokens without the scope %s", to.Method, to.Path, field, strings.Join(class, " or "))
			}
		}
	}
	for field := range classes {
		if !found[field] {
			t.Errorf("%s lists %s, which no response has", fieldsFile, field)
		}
	}
}

// TestSpecter_RequiresWalletsScope checks that wallet names require the scope wallets:read.
func TestSpecter_RequiresWalletsScope(t *testing.T) {
	t.Parallel()
	s := start(t)
	admin := s.user(t, "admin", true)
	s.wallet(t, admin, "vault", "owner")
	s.call(t, "GET", "/api/v1alpha/specter", s.token(t, admin, auth.NodeRead|auth.WalletsRead).bearer(), "").want(t, 200, `"wallets_alias":["vault"]`)
	got := s.call(t, "GET", "/api/v1alpha/specter", s.token(t, admin, auth.NodeRead).bearer(), "").want(t, 200, `"wallets_names":[]`, `"alias_name":{}`)
	if strings.Contains(got.body, "vault") {
		t.Errorf("the response has the name of the wallet: %s", got.body)
	}
}

// isCovered reports whether every caller that gets the response of a route may read a property
// for which fieldsFile lists these scopes.
func isCovered(to route.Route, class []string) bool {
	_, creates := creating[to.Handler.Name]
	switch {
	case creates, slices.Contains(class, "anyone"), to.Credentials.TakesBasic() && !to.Credentials.TakesBearer():
		return true // requests with a password only have all scopes
	case !to.Credentials.NeedsScope():
		return slices.Contains(class, "own")
	}
	return slices.ContainsFunc((to.Scope | to.Handler.ShownScope).Names(), func(name string) bool { return slices.Contains(class, name) })
}

// collectFields adds the properties of all schemas that a part of the specification
// references.
func collectFields(part any, fields map[string]bool) {
	switch part := part.(type) {
	case []any:
		for _, one := range part {
			collectFields(one, fields)
		}
	case object:
		if name := componentName(part); name != "" {
			collectProperties(name, fields)
		}
		for key, one := range part {
			if key != "example" && key != "examples" {
				collectFields(one, fields)
			}
		}
	}
}

func collectProperties(schema string, fields map[string]bool) {
	for property, of := range in(theSpecification().document, "components", "schemas", schema, "properties") {
		field := schema + "." + property
		if !fields[field] {
			fields[field] = true
			if !checkedByHandler[field] {
				collectFields(of, fields)
			}
		}
	}
	for _, key := range []string{"additionalProperties", "items", "anyOf", "allOf", "oneOf"} {
		collectFields(in(theSpecification().document, "components", "schemas", schema)[key], fields)
	}
}
