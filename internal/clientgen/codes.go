package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// serverPackages have the faults of API v1.
var serverPackages = []string{
	"admission", "auth", "btc", "clock", "egress", "event", "fault", "historyexport", "httpapi", "httpcall", "idempotency", "indexer",
	"node", "policy", "proposal", "psbt", "qrcodec", "schedule", "spending", "store", "wallet", "walletexport", "walletfile", "webhook",
}

// codePattern matches the codes of faults.
var codePattern = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// codesFile returns the file with a constant for each code of a fault.
func codesFile(root string) ([]byte, error) {
	codes := map[string]bool{}
	for _, name := range serverPackages {
		err := filepath.WalkDir(filepath.Join(root, "internal", name), func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == "v1alpha" || d.Name() == "testdata"):
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return collectCodes(path, codes)
		})
		if err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	b.WriteString(header)
	b.WriteString("// The codes of the server. Later versions can add some: Code(\"new_code\") matches a code without\n// a constant.\nconst (\n")
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		fmt.Fprintf(&b, "\tErr%s Code = %q\n", fieldName(code), code)
	}
	b.WriteString(")\n")
	return format.Source(b.Bytes())
}

// collectCodes adds the codes of the faults that a file creates: the texts in the calls
// fault.New(kind, code, …) and fault.InvalidAs(code, …), and in the field Code of a literal.
func collectCodes(path string, codes map[string]bool) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return err
	}
	add := func(e ast.Expr) {
		if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if code, err := strconv.Unquote(lit.Value); err == nil && codePattern.MatchString(code) {
				codes[code] = true
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			switch nameOf(n.Fun) {
			case "fault.New":
				if len(n.Args) > 1 {
					add(n.Args[1])
				}
			case "fault.InvalidAs":
				if len(n.Args) > 0 {
					add(n.Args[0])
				}
			}
		case *ast.CompositeLit:
			addLiteral(n, add)
		}
		return true
	})
	return nil
}

// addLiteral adds the code of a literal of fault.Error.
func addLiteral(n *ast.CompositeLit, add func(ast.Expr)) {
	name := nameOf(n.Type)
	if name != "fault.Error" && name != "Error" {
		return
	}
	for _, e := range n.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && nameOf(pair.Key) == "Code" {
			add(pair.Value)
		}
	}
}

// nameOf returns package.name of a qualified name, or the name of another identifier.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}
