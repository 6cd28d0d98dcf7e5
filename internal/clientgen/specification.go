package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// specification is the part of an OpenAPI document that the generator uses.
type specification struct {
	Paths map[string]map[string]operation
}

type operation struct {
	Method, Path string `json:"-"`

	ID          string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Parameters  []parameter
	RequestBody struct{ Content map[string]media }
	Responses   map[string]struct{ Content map[string]media }
}

type parameter struct {
	Name, In, Description string
	Required              bool
	Schema                struct {
		Type string
		Enum []string
	}
}

type media struct {
	Schema struct {
		Ref string `json:"$ref"`
	}
}

// name returns the name of the schema, or "" if the content has none.
func (m media) name() string { return m.Schema.Ref[strings.LastIndexByte(m.Schema.Ref, '/')+1:] }

const jsonType = "application/json"

func readSpecification(path string) (specification, error) {
	var spec specification
	text, err := os.ReadFile(path) //nolint:gosec // a file of the module
	if err != nil {
		return spec, err
	}
	return spec, json.Unmarshal(text, &spec)
}

// operations returns all operations in the order of path and method.
func (s specification) operations() []operation {
	var all []operation
	for _, path := range slices.Sorted(maps.Keys(s.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			if op, ok := s.Paths[path][method]; ok {
				op.Method, op.Path = strings.ToUpper(method), path
				all = append(all, op)
			}
		}
	}
	return all
}

// ofOneWallet returns the operation for one wallet that corresponds to an operation for all
// wallets, such as listEvents for listAllEvents, and whether it exists.
func (s specification) ofOneWallet(o operation) (operation, bool) {
	all := s.operations()
	noun, ok := strings.CutPrefix(o.ID, "listAll")
	i := slices.IndexFunc(all, func(one operation) bool { return one.ID == "list"+noun })
	if !ok || i < 0 {
		return operation{}, false
	}
	return all[i], true
}

// in returns the parameters at a location: path, query or header.
func (o operation) in(location string) []parameter {
	var found []parameter
	for _, p := range o.Parameters {
		if p.In == location {
			found = append(found, p)
		}
	}
	return found
}

// has reports whether the operation takes a parameter at a location.
func (o operation) has(location, name string) bool {
	return slices.ContainsFunc(o.in(location), func(p parameter) bool { return p.Name == name })
}

// pathParameters returns the names of the parameters in the order of the path.
func (o operation) pathParameters() []string {
	var names []string
	for part := range strings.SplitSeq(o.Path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// result returns the schema of the response with JSON, or "", and whether the response can be
// empty because the token lacks a scope.
func (o operation) result() (schema string, canBeEmpty bool, err error) {
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		if !strings.HasPrefix(status, "2") {
			continue
		}
		name := o.Responses[status].Content[jsonType].name()
		if schema != "" && name != "" && name != schema {
			return "", false, fmt.Errorf("%s has responses of two types: %s and %s", o.ID, schema, name)
		}
		if name == "" {
			canBeEmpty = true
		} else {
			schema = name
		}
	}
	return schema, canBeEmpty && schema != "", nil
}
