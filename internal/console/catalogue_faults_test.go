package console

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCatalogue_Faults checks that every fault that can reach a page has a German message: every
// text of a fault in the packages that the console imports, directly or not, and in the packages
// that implement their interfaces.
func TestCatalogue_Faults(t *testing.T) {
	t.Parallel()
	all, dynamic := found{}, found{}
	for _, dir := range faultPackages(t) {
		collectFaults(t, dir, all, dynamic)
	}
	if len(all) < 500 {
		t.Fatalf("found only %d faults", len(all))
	}
	for _, lang := range languages[1:] {
		messages := readMessages(lang + "-services.json")
		for _, text := range slices.Sorted(maps.Keys(all)) {
			if messages[text] == "" {
				t.Errorf("messages/%s-services.json lacks %q (%s)", lang, text, all[text])
			}
		}
	}
	for _, place := range slices.Sorted(maps.Keys(dynamic)) {
		if !slices.Contains(dynamicFaults, place) {
			t.Errorf("the text of a fault is not literal: %s; add its texts to the messages, and the place to dynamicFaults", place)
		}
	}
	for _, place := range dynamicFaults {
		if dynamic[place] == "" {
			t.Errorf("dynamicFaults: nothing is at %s", place)
		}
	}
}

// noFaultsOnPages are files whose faults cannot reach a page: of imports and other commands, of
// tokens, and of the start of the server.
var noFaultsOnPages = []string{
	"auth/import.go", "auth/key.go", "auth/password_specter.go", "clock/watch.go", "node/backend/adopt.go", "node/backend/probe.go",
	"proposal/import.go", "store/import.go", "store/settings.go", "wallet/adopt.go",
}

// dynamicFaults are expressions that are not literal texts: either all of their texts are messages,
// or they are arguments of a method that has the name of another one.
var dynamicFaults = []string{"proposal/accept.go: at", "proposal/accept.go: smallest", "proposal/recipient.go: i"}

// faultPackages returns the directories of the packages whose faults can reach a page.
func faultPackages(t *testing.T) []string {
	t.Helper()
	const module = "github.com/specterd/specterd/internal/"
	seen := map[string]bool{}
	var add func(name string)
	add = func(name string) {
		if seen[name] {
			return
		}
		seen[name] = true
		p, err := build.ImportDir(filepath.Join("..", filepath.FromSlash(name)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, imported := range p.Imports {
			if rest, ok := strings.CutPrefix(imported, module); ok {
				add(rest)
			}
		}
	}
	for _, name := range []string{"console", "store", "node/backend", "indexer"} {
		add(name)
	}
	delete(seen, "store/db") // generated
	return slices.Sorted(maps.Keys(seen))
}

// faultText is the position of the text of a fault among the parameters of a function, with the
// text that the function adds.
type faultText struct {
	at            int
	before, after string
}

// faultFunctions are the functions whose argument is the text of a fault or of a warning.
var faultFunctions = map[string]faultText{
	"fault.New": {at: 2}, "InvalidField": {at: 1}, "InvalidAs": {at: 2}, "WithMessage": {at: 0}, "WithField": {at: 1}, "warn": {at: 1},
}

// collectFaults adds the texts of the faults in a package: of calls of faultFunctions, and of
// functions of the package that pass a parameter to one.
func collectFaults(t *testing.T, name string, texts, dynamic found) {
	t.Helper()
	files := parsePackage(t, name)
	c := &faultCollector{functions: maps.Clone(faultFunctions), constants: map[string]string{}}
	for _, f := range files {
		c.addConstants(f)
	}
	for before := -1; before != len(c.functions); { // functions may call each other
		before = len(c.functions)
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					c.addFunction(fn)
				}
			}
		}
	}
	for file, f := range files {
		place := path.Join(name, file)
		if slices.Contains(noFaultsOnPages, place) {
			continue
		}
		for _, d := range f.Decls {
			c.addTexts(d, place, texts, dynamic)
		}
	}
}

func parsePackage(t *testing.T, name string) map[string]*ast.File {
	t.Helper()
	dir := filepath.Join("..", filepath.FromSlash(name))
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		if files[e.Name()], err = parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

type faultCollector struct {
	functions map[string]faultText
	constants map[string]string // texts by name
}

func (c *faultCollector) addConstants(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			for i, value := range v.Values {
				if text, ok := textOf(value); ok {
					c.constants[v.Names[i].Name] = text
				}
			}
		}
		return true
	})
}

// addFunction adds a function that passes a parameter to one of the functions: as its text, as a
// part of the text, or as a value in the text.
func (c *faultCollector) addFunction(fn *ast.FuncDecl) {
	var params []string
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			if _, isList := field.Type.(*ast.Ellipsis); !isList && types.ExprString(field.Type) == "string" {
				params = append(params, name.Name)
			} else {
				params = append(params, "")
			}
		}
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		to, ok := c.functions[calledName(call)]
		if !ok || len(call.Args) <= to.at {
			return true
		}
		before, param, after := c.around(call.Args[to.at])
		if at := slices.Index(params, param); param != "" && at >= 0 {
			c.functions[fn.Name.Name] = faultText{at, to.before + before, after + to.after}
		}
		for _, value := range call.Args[to.at+1:] {
			if id, ok := value.(*ast.Ident); ok && slices.Contains(params, id.Name) && (id.Name == "problem" || id.Name == "reason") {
				c.functions[fn.Name.Name] = faultText{at: slices.Index(params, id.Name)}
			}
		}
		return true
	})
}

// around returns the name in an expression such as "before" + name + "after".
func (c *faultCollector) around(e ast.Expr) (before, name, after string) {
	switch e := e.(type) {
	case *ast.Ident:
		return "", e.Name, ""
	case *ast.BinaryExpr:
		if text, ok := c.text(e.X); ok {
			before, name, after = c.around(e.Y)
			return text + before, name, after
		}
		if text, ok := c.text(e.Y); ok {
			before, name, after = c.around(e.X)
			return before, name, after + text
		}
	}
	return "", "", ""
}

// text returns the value of a literal text, of a constant, or of several that are joined.
func (c *faultCollector) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.Ident:
		text, ok := c.constants[e.Name]
		return text, ok
	case *ast.BinaryExpr:
		first, ok := c.text(e.X)
		second, isText := c.text(e.Y)
		return first + second, ok && isText
	}
	return textOf(e)
}

// calledName returns the name of a called function or method, and fault.New with its package.
func calledName(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if x, ok := fun.X.(*ast.Ident); ok && x.Name == "fault" && fun.Sel.Name == "New" {
			return "fault.New"
		}
		return fun.Sel.Name
	}
	return ""
}

func (c *faultCollector) addTexts(d ast.Decl, place string, texts, dynamic found) {
	owner := ""
	if fn, ok := d.(*ast.FuncDecl); ok {
		owner = fn.Name.Name
	}
	ast.Inspect(d, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		to, ok := c.functions[calledName(call)]
		if !ok || len(call.Args) <= to.at {
			return true
		}
		text, ok := c.text(call.Args[to.at])
		_, isNumber := call.Args[to.at].(*ast.BasicLit)
		if _, passes := c.functions[owner]; !ok && !passes && !isNumber {
			dynamic[place+": "+types.ExprString(call.Args[to.at])] = place
		}
		if text = to.before + text + to.after; ok && letters.MatchString(placeholder.ReplaceAllString(text, "")) {
			texts[text] = place
		}
		return true
	})
}
