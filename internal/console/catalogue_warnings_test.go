package console

import (
	"go/ast"
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestCatalogue_Warnings checks that each warning about the keys of a new wallet has a German
// message, also if it names the key.
func TestCatalogue_Warnings(t *testing.T) {
	t.Parallel()
	texts := found{}
	for _, dir := range []string{"../wallet", "../walletfile"} {
		inspect(t, dir, func(file string, n ast.Node) {
			for _, e := range warningIn(n) {
				ast.Inspect(e, func(n ast.Node) bool {
					e, ok := n.(ast.Expr)
					if !ok {
						return true
					}
					text, ok := textOf(e)
					if strings.Contains(text, " ") {
						texts[text] = file
					}
					return !ok
				})
			}
		})
	}
	if len(texts) < 18 {
		t.Fatalf("found only %d warnings", len(texts))
	}
	l := &look{lang: "de", catalogue: catalogueOf("de")}
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		filled := strings.NewReplacer("%d", "3", "%s", "x").Replace(text)
		for _, shown := range []string{filled, "key 2: " + filled} {
			if got := l.T(shown); strings.Contains(got, filled) || strings.HasPrefix(got, "key") {
				t.Errorf("%s: %q is %q", texts[text], shown, got)
			}
		}
	}
}

// warningIn returns the expressions with the text of a warning, if n is one.
func warningIn(n ast.Node) []ast.Expr {
	name := func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.Ident:
			return e.Name
		case *ast.SelectorExpr:
			return e.Sel.Name
		}
		return ""
	}
	switch n := n.(type) {
	case *ast.CallExpr:
		if name(n.Fun) == "warn" && len(n.Args) > 1 {
			return n.Args[1:2]
		}
	case *ast.CompositeLit:
		if name(n.Type) == "Warning" {
			return n.Elts
		}
	}
	return nil
}
