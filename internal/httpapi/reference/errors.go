package reference

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/specterd/specterd/internal/fault"
)

// status is an HTTP status of errors, with its codes.
type status struct {
	Status             int
	Title, Description string
	Example            example
	Codes              []string
}

// codeGroup is a group of error codes.
type codeGroup struct {
	Name  string
	Codes []errorCode
}

// errorCode is an error code with its status.
type errorCode struct {
	fault.Code

	Status int
	Title  string // of the status
}

// errors returns the statuses of errors in v1, and all codes of the API.
func (b *builder) errors(statusOf func(fault.Kind) int) ([]status, []codeGroup) {
	codes := map[int][]string{}
	var groups []codeGroup
	for _, g := range fault.CodeGroups() {
		group := codeGroup{Name: g.Name}
		for _, c := range g.Codes {
			if c.Origin != fault.API {
				continue
			}
			code := statusOf(c.Kind)
			group.Codes = append(group.Codes, errorCode{c, code, http.StatusText(code)})
			codes[code] = append(codes[code], c.Name)
		}
		groups = append(groups, group)
	}
	var statuses []status
	for code, names := range codes {
		slices.Sort(names)
		s := status{Status: code, Title: http.StatusText(code), Codes: names}
		r := b.Components.Responses["Problem"+strconv.Itoa(code)]
		s.Description = r.Description
		if examples := examplesOf(r); len(examples) > 0 {
			s.Example = examples[0]
		}
		statuses = append(statuses, s)
	}
	slices.SortFunc(statuses, func(x, y status) int { return x.Status - y.Status })
	return statuses, groups
}
