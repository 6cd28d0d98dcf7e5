package main

import (
	"bytes"
	"fmt"
	"go/format"
	"slices"

	"github.com/specterd/specterd/internal/fault"
)

// codesFile returns the file with a constant for each code that responses of the API have.
func codesFile(groups []fault.CodeGroup) ([]byte, error) {
	var codes []string
	for _, group := range groups {
		for _, code := range group.Codes {
			if code.Origin == fault.API {
				codes = append(codes, code.Name)
			}
		}
	}
	slices.Sort(codes)
	var b bytes.Buffer
	b.WriteString(header)
	b.WriteString("// The codes of the server. Later versions can add some: Code(\"new_code\") matches a code without\n// a constant.\nconst (\n")
	for _, code := range codes {
		fmt.Fprintf(&b, "\tErr%s Code = %q\n", fieldName(code), code)
	}
	b.WriteString(")\n")
	return format.Source(b.Bytes())
}
