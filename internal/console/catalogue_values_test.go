package console

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestCatalogue_FaultValues checks that every English text that fills a placeholder in the text of a
// fault has a German message: a text, a format of fmt.Sprintf, a variable with one of them, and the
// result of a function of the package. It also checks that no text of a fault consists of several
// placeholders without words, because a message cannot translate it.
func TestCatalogue_FaultValues(t *testing.T) {
	t.Parallel()
	texts := found{}
	for _, dir := range faultPackages(t) {
		files := parsePackage(t, dir)
		c := valueCollector{functions: map[string]*ast.FuncDecl{}, texts: texts}
		for _, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
					c.functions[fn.Name.Name] = fn
				}
			}
		}
		for file, f := range files {
			if c.place = path.Join(dir, file); !slices.Contains(noFaultsOnPages, c.place) {
				c.collect(t, f)
			}
		}
	}
	if len(texts) < 15 {
		t.Fatalf("found only %d texts", len(texts))
	}
	for _, lang := range languages[1:] {
		messages := readMessages(lang + "-services.json")
		for _, text := range slices.Sorted(maps.Keys(texts)) {
			if messages[text] == "" && !slices.Contains(valuesInEveryLanguage, text) {
				t.Errorf("messages/%s-services.json lacks %q (%s)", lang, text, texts[text])
			}
		}
	}
}

// valuesInEveryLanguage are values that are not translated.
var valuesInEveryLanguage = []string{
	", rule %q", // of proposal.ErrPolicyRefused: pages list its limits instead
}

// placeholderTexts are texts of placeholders only, by the file: pages list the limits of a policy
// instead, and show the name of a file before a text in the language of the page.
var placeholderTexts = []string{
	"proposal/approval.go: %s (%s)", "console/wallet_scan.go: %s: %s", "console/wallet_source.go: %s: %s",
}

// valueCollector collects the texts that fill placeholders in the texts of faults of a package.
type valueCollector struct {
	functions map[string]*ast.FuncDecl // of the package
	place     string
	texts     found
}

func (c *valueCollector) collect(t *testing.T, f *ast.File) {
	t.Helper()
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				c.addCall(t, n, fn)
			case *ast.AssignStmt: // such as f.Fields[0].Message = fmt.Sprintf(…)
				if at, ok := n.Lhs[0].(*ast.SelectorExpr); ok && at.Sel.Name == "Message" && len(n.Rhs) == 1 {
					c.add(n.Rhs[0], fn, 0)
				}
			}
			return true
		})
	}
}

// addCall adds the values of a call of one of faultFunctions.
func (c *valueCollector) addCall(t *testing.T, call *ast.CallExpr, fn *ast.FuncDecl) {
	t.Helper()
	to, ok := faultFunctions[calledName(call)]
	if !ok || len(call.Args) <= to.at {
		return
	}
	format, ok := textOf(call.Args[to.at])
	if ok && strings.Count(format, "%") > 1 && !letters.MatchString(placeholder.ReplaceAllString(format, "")) {
		if at := c.place + ": " + format; !slices.Contains(placeholderTexts, at) {
			t.Errorf("the text of a fault consists of placeholders: %s", at)
		}
	}
	for _, value := range call.Args[to.at+1:] {
		c.add(value, fn, 0)
	}
}

// maxCalls is the maximum number of functions, each called by the one before, from which add takes results.
const maxCalls = 3

// add adds the texts that an expression in a function can have.
func (c *valueCollector) add(e ast.Expr, fn *ast.FuncDecl, calls int) {
	if text, ok := textOf(e); ok {
		c.addText(text)
		return
	}
	switch e := e.(type) {
	case *ast.Ident:
		c.addVariable(e.Name, fn, calls)
	case *ast.BinaryExpr:
		c.add(e.X, fn, calls)
		c.add(e.Y, fn, calls)
	case *ast.CallExpr:
		name := calledName(e)
		for _, text := range countedTexts(e) {
			c.addText(text)
		}
		if name == "Sprintf" || name == "Join" {
			for _, arg := range e.Args {
				c.add(arg, fn, calls)
			}
			return
		}
		called := c.functions[name]
		if called == nil || calls == maxCalls || name == fn.Name.Name {
			return
		}
		ast.Inspect(called.Body, func(n ast.Node) bool {
			if result, ok := n.(*ast.ReturnStmt); ok && len(result.Results) > 0 {
				c.add(result.Results[0], called, calls+1)
			}
			return true
		})
	}
}

// countedTexts returns the formats of the results of a call of text.Count.
func countedTexts(e ast.Expr) []string {
	if call, ok := e.(*ast.CallExpr); ok && calledName(call) == "Count" && len(call.Args) == 2 {
		if noun, ok := textOf(call.Args[1]); ok {
			return []string{"%d " + noun, "%d " + noun + "s"}
		}
	}
	return nil
}

// addVariable adds the texts that are assigned to a variable in a function.
func (c *valueCollector) addVariable(name string, fn *ast.FuncDecl, calls int) {
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, to := range assign.Lhs {
			id, ok := to.(*ast.Ident)
			if !ok || id.Name != name || i >= len(assign.Rhs) {
				continue
			}
			if _, isName := assign.Rhs[i].(*ast.Ident); !isName { // which could be the variable itself
				c.add(assign.Rhs[i], fn, calls)
			}
		}
		return true
	})
}

// addText adds a text of several words.
func (c *valueCollector) addText(text string) {
	if strings.Contains(strings.TrimSpace(text), " ") && letters.MatchString(placeholder.ReplaceAllString(text, "")) {
		c.texts[text] = c.place
	}
}
