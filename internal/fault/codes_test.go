package fault_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/fault"
)

// made is a call that makes a fault.
type made struct{ code, kind, position string }

// faultsInCode returns the faults that the program makes with a literal code, and the positions of
// codes that are neither literal nor copied from another fault.
func faultsInCode(t *testing.T) (found []made, unknown []string) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".cache" || entry.Name() == "testenv" || entry.Name() == ".git") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			kind, code := codeOfCall(call)
			if code == nil {
				return true
			}
			position := files.Position(call.Pos()).String()
			switch code := code.(type) {
			case *ast.BasicLit:
				name, _ := strconv.Unquote(code.Value)
				found = append(found, made{name, kind, position})
			case *ast.SelectorExpr:
				if code.Sel.Name != "Code" {
					unknown = append(unknown, position)
				}
			default:
				unknown = append(unknown, position)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found, unknown
}

// codeOfCall returns the kind and the code of a call that makes a fault, or nil.
func codeOfCall(call *ast.CallExpr) (kind string, code ast.Expr) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", nil
	}
	if of, ok := f.X.(*ast.Ident); !ok || of.Name != "fault" || len(call.Args) < 2 {
		return "", nil
	}
	switch f.Sel.Name {
	case "New":
		if k, ok := call.Args[0].(*ast.SelectorExpr); ok {
			kind = k.Sel.Name
		}
		return kind, call.Args[1]
	case "InvalidAs":
		return "Invalid", call.Args[0]
	}
	return "", nil
}

var kindNames = map[string]fault.Kind{
	"Internal": fault.Internal, "Invalid": fault.Invalid, "Unauthenticated": fault.Unauthenticated, "Forbidden": fault.Forbidden,
	"NotFound": fault.NotFound, "Gone": fault.Gone, "Conflict": fault.Conflict, "TooLarge": fault.TooLarge,
	"UnsupportedMedia": fault.UnsupportedMedia, "MethodNotAllowed": fault.MethodNotAllowed, "TooMany": fault.TooMany,
	"BadGateway": fault.BadGateway, "Unavailable": fault.Unavailable, "Unprocessable": fault.Unprocessable,
	"Misdirected": fault.Misdirected, "PreconditionFailed": fault.PreconditionFailed, "Refused": fault.Refused,
}

// TestCodes_Complete compares the table of codes with the faults that the program makes. Faults
// of v1alpha and of pages, which do not show the code, can have another kind.
func TestCodes_Complete(t *testing.T) {
	found, unknown := faultsInCode(t)
	for _, position := range unknown {
		t.Errorf("%s: the code must be a literal, or the Code of another fault", position)
	}
	if len(found) < 200 {
		t.Fatalf("only %d faults found", len(found))
	}
	used := map[string]bool{"invalid_input": true} // made by InvalidField
	for _, f := range found {
		used[f.code] = true
		known, ok := fault.CodeOf(f.code)
		kind, isKind := kindNames[f.kind]
		switch {
		case !ok:
			t.Errorf("%s: the code %s is not in fault.CodeGroups", f.position, f.code)
		case !isKind:
			t.Errorf("%s: the kind of a fault must be a literal", f.position)
		case kind != known.Kind && !strings.Contains(f.position, "/v1alpha/") && !strings.Contains(f.position, "/console/"):
			t.Errorf("%s: %s is %s here, and another kind in fault.CodeGroups", f.position, f.code, f.kind)
		}
	}
	for _, group := range fault.CodeGroups() {
		for _, code := range group.Codes {
			if !used[code.Name] {
				t.Errorf("%s is in fault.CodeGroups, but no fault has it", code.Name)
			}
		}
	}
}

// TestCodes_Texts checks that each code occurs once, in order, with its meaning and a remedy.
func TestCodes_Texts(t *testing.T) {
	seen := map[string]bool{}
	for _, group := range fault.CodeGroups() {
		if !slices.IsSortedFunc(group.Codes, func(a, b fault.Code) int { return strings.Compare(a.Name, b.Name) }) {
			t.Errorf("%s is not sorted by name", group.Name)
		}
		for _, code := range group.Codes {
			if seen[code.Name] {
				t.Errorf("%s occurs twice", code.Name)
			}
			seen[code.Name] = true
			for _, text := range []string{code.Meaning, code.Remedy} {
				if !strings.HasSuffix(text, ".") && !strings.HasSuffix(text, "…") {
					t.Errorf("%s: %q is not a sentence", code.Name, text)
				}
			}
		}
	}
}
