package httpapi

import (
	"net/http"

	"github.com/specterd/specterd/internal/httpapi/route"
)

const descriptionPath = "/api/openapi.json"

// description is the API's description and the page that shows it.
type description struct{}

func newDescription([]route.Route, string) (*description, error) { return &description{}, nil }

func (*description) pages() map[string]http.HandlerFunc { return nil }
