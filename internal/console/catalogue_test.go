package console

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"
	"time"

	"github.com/specterd/specterd/internal/auth"
)

// found are texts, or expressions that return texts, each with the place where it is.
type found map[string]string

// TestCatalogue compares the catalogue of every language with the texts in templates and code:
// each has a translation with the same placeholders, and no translation is left over.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	texts, dynamic := found{}, found{}
	textsOfTemplates(t, texts, dynamic)
	textsOfCode(t, texts, dynamic)
	textsOfTables(texts)
	if len(texts) < 500 {
		t.Fatalf("found only %d texts", len(texts))
	}
	for _, lang := range languages[1:] {
		compareMessages(t, lang+".json", texts)
	}
	for _, expression := range slices.Sorted(maps.Keys(dynamic)) {
		if !slices.Contains(knownDynamic, expression) {
			t.Errorf("%s translates %s: add its texts to textsOfTables, and the expression to knownDynamic", dynamic[expression], expression)
		}
	}
	for _, expression := range knownDynamic {
		if dynamic[expression] == "" {
			t.Errorf("knownDynamic: nothing translates %s", expression)
		}
	}
}

// TestCatalogue_Services compares the messages of services with the code: each is a text in it, and
// none of the faults of the console itself is missing.
func TestCatalogue_Services(t *testing.T) {
	t.Parallel()
	own, all := found{}, found{}
	faultsIn(t, ".", own)
	dirs := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".go") {
			dirs[filepath.Dir(path)] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range dirs {
		collectFaults(t, filepath.ToSlash(strings.TrimPrefix(dir, ".."+string(filepath.Separator))), all, found{})
		inspect(t, dir, func(file string, n ast.Node) {
			if e, ok := n.(ast.Expr); ok {
				if text, ok := textOf(e); ok {
					all[text] = file
				}
				for _, text := range countedTexts(e) {
					all[text] = file
				}
			}
		})
	}
	for _, lang := range languages[1:] {
		name := lang + "-services.json"
		messages := readMessages(name)
		for text, place := range own {
			if messages[text] == "" {
				t.Errorf("messages/%s lacks %q (%s)", name, text, place)
			}
		}
		for text, message := range messages {
			checkMessage(t, name, text, message)
			if all[text] == "" {
				t.Errorf("messages/%s: no code has the text %q", name, text)
			}
		}
	}
}

func compareMessages(t *testing.T, name string, texts found) {
	t.Helper()
	messages := readMessages(name)
	for _, text := range slices.Sorted(maps.Keys(texts)) {
		message, ok := messages[text]
		if !ok {
			t.Errorf("messages/%s lacks %q (%s)", name, text, texts[text])
			continue
		}
		checkMessage(t, name, text, message)
	}
	for text := range messages {
		if texts[text] == "" {
			t.Errorf("messages/%s: nothing uses %q", name, text)
		}
	}
}

func checkMessage(t *testing.T, name, text, message string) {
	t.Helper()
	if text = withoutContext(text); strings.Contains(text, contextMark) {
		t.Errorf("messages/%s: the context of %q is not in contexts", name, text)
	}
	switch {
	case strings.TrimSpace(message) == "":
		t.Errorf("messages/%s: %q is empty", name, text)
	case !maps.Equal(placeholdersOf(message), placeholdersOf(text)):
		t.Errorf("messages/%s: %q has other placeholders than %q", name, message, text)
	case strings.Contains(text, " ") && strings.TrimRight(text, ".:") == text != (strings.TrimRight(message, ".:") == message):
		t.Errorf("messages/%s: %q ends differently from %q", name, message, text)
	}
}

// placeholdersOf returns the verb of each placeholder by the number of its argument, and how
// often the text has %%.
func placeholdersOf(text string) map[int]string {
	verbs, next := map[int]string{}, 0
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if m[2] == "%" {
			verbs[0] += "%"
			continue
		}
		next++
		if m[1] != "" {
			next, _ = strconv.Atoi(m[1])
		}
		verbs[next] = m[2]
	}
	return verbs
}

// textsOfTemplates adds the literal texts of the functions t, tn and badge. Other arguments are
// added to dynamic.
func textsOfTemplates(t *testing.T, texts, dynamic found) {
	t.Helper()
	err := fs.WalkDir(templateFiles, "templates", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		source, err := templateFiles.ReadFile(path)
		if err != nil {
			return err
		}
		trees := map[string]*parse.Tree{}
		one := parse.New(path)
		one.Mode = parse.SkipFuncCheck
		if _, err := one.Parse(string(source), "", "", trees); err != nil {
			return err
		}
		for _, tree := range trees {
			walkTemplate(tree.Root, func(c *parse.CommandNode) {
				for _, arg := range translatedBy(c) {
					literal, ok := arg.(*parse.StringNode)
					switch {
					case ok:
						texts[literal.Text] = path
					case !strings.HasPrefix(arg.String(), "t "): // already translated
						dynamic[filepath.Base(path)+": "+arg.String()] = path
					}
				}
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// translatedBy returns the arguments of a call in a template that the function translates.
func translatedBy(c *parse.CommandNode) []parse.Node {
	name, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok {
		return nil
	}
	of := map[string][2]int{"t": {1, 2}, "tn": {2, 4}, "badge": {3, 4}}[name.Ident]
	return c.Args[min(of[0], len(c.Args)):min(of[1], len(c.Args))]
}

// walkTemplate calls visit for every command below a node.
func walkTemplate(n parse.Node, visit func(*parse.CommandNode)) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walkTemplate(child, visit)
			}
		}
	case *parse.ActionNode:
		walkTemplate(n.Pipe, visit)
	case *parse.TemplateNode:
		walkTemplate(n.Pipe, visit)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				visit(c)
				for _, arg := range c.Args {
					walkTemplate(arg, visit)
				}
			}
		}
	case *parse.IfNode:
		walkBranch(&n.BranchNode, visit)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, visit)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, visit)
	}
}

func walkBranch(n *parse.BranchNode, visit func(*parse.CommandNode)) {
	walkTemplate(n.Pipe, visit)
	walkTemplate(n.List, visit)
	walkTemplate(n.ElseList, visit)
}

// textsOfCode adds the literal texts of the methods T, N and badge, and of badges in composite
// literals. Other arguments are added to dynamic.
func textsOfCode(t *testing.T, texts, dynamic found) {
	t.Helper()
	inspect(t, ".", func(file string, n ast.Node) {
		var args []ast.Expr
		switch n := n.(type) {
		case *ast.CompositeLit:
			if name, ok := n.Type.(*ast.Ident); ok && name.Name == "state" && len(n.Elts) == 3 {
				args = n.Elts[2:]
			}
		case *ast.CallExpr:
			args = translated(n)
		}
		for _, arg := range args {
			if text, ok := textOf(arg); ok {
				texts[text] = file
			} else if file != "catalogue.go" && !isTranslated(arg) {
				dynamic[file+": "+types.ExprString(arg)] = file
			}
		}
	})
}

// isTranslated reports whether an expression is the result of T.
func isTranslated(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	return ok && fun.Sel.Name == "T"
}

// translated returns the arguments of a call that the method translates.
func translated(c *ast.CallExpr) []ast.Expr {
	fun, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	of := map[string][2]int{"T": {0, 1}, "N": {1, 3}, "badge": {2, 3}}[fun.Sel.Name]
	return c.Args[min(of[0], len(c.Args)):min(of[1], len(c.Args))]
}

// faultsIn adds the messages of the faults in the code of a package.
func faultsIn(t *testing.T, dir string, texts found) {
	t.Helper()
	positions := map[string]int{"New": 2, "InvalidField": 1, "InvalidAs": 2, "WithMessage": 0, "WithField": 1}
	inspect(t, dir, func(file string, n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		fun, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return
		}
		at, ok := positions[fun.Sel.Name]
		if x, isName := fun.X.(*ast.Ident); fun.Sel.Name == "New" && (!isName || x.Name != "fault") {
			return
		}
		if !ok || len(call.Args) <= at {
			return
		}
		if text, ok := textOf(call.Args[at]); ok && letters.MatchString(placeholder.ReplaceAllString(text, "")) {
			texts[text] = file
		}
	})
}

// letters matches a text that is not only placeholders and punctuation.
var letters = regexp.MustCompile(`[a-z]`)

// inspect calls visit for every node in the code of a package, without its tests.
func inspect(t *testing.T, dir string, visit func(file string, n ast.Node)) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f.Name()), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			visit(f.Name(), n)
			return true
		})
	}
}

// textOf returns the value of a literal text, or of several that are joined.
func textOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		first, ok := textOf(e.X)
		second, isText := textOf(e.Y)
		return first + second, ok && isText
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	}
	return "", false
}

// knownDynamic are the expressions whose texts are in textsOfTables, or messages of services.
var knownDynamic = []string{
	// Texts of tables.
	"audit.html: .", "format.go: b[2]", "format.go: month", "format.go: role", "format.go: text", "invitation.go: roleMeanings[string(all[at].Role)]",
	"look.go: text", "words.go: strings.ToUpper(plain[:1]) + plain[1:]", "words.go: text", "members.html: .Text", "node.html: .Source", "parts.html: .Text", "parts.html: .Title", "proposal.html: .Title",
	"proposal_list.go: proposalBadges[s][2]", "token-new.html: .", "token-new.html: .Text", "token-new.html: .Title", "token_scope.go: p.Title",
	"token_scope.go: s.Title", "user.go: name", "wallet-settings.html: .Text", "wallet_new.go: formatTexts[f]", "wallet_new.go: scriptTexts[s]",
	"wallet_new.go: texts[0]", "wallet_new.go: texts[1]",
	"delivery.go: b.Text", "delivery.go: skipReasons[reason]", "history.go: b[2]", "history.go: categoryNames[t.Category]", "history.html: .Name",
	"wallet.html: .Title", "webhook-form.html: .Title", "webhook.go: disabledReasons[w.Reason]", "webhook.html: print .",
	"policy.html: .Title", "policy_form.go: groupNames[name]", "policy_form.go: hint", "policy_form.go: text", "review.go: layerNames[layer]", "words.go: byPolicies(f)",
	"policy.html: .Text", "session.go: c.to.purpose",
	// Composite literals of the type state.
	"token.html: $t.State.Text", "tokens.html: .State.Text", "user.html: .State.Text", "webhook.html: $w.State.Text", "webhooks.html: .State.Text",
	// Messages of services.
	"node.html: .Message", "payment.html: .Message",
	"receive.html: .", "send.html: .Message", "parts.html: .", "parts.html: .Message", "parts.html: .Problem", "wallet-settings.html: .", "wallet.html: .", "form.go: f.fault.Message", "words.go: f.Message", "words.go: p.Message", "wallet_new.go: w.Message", "wallet_settings.go: err.Error()", "wallet_source.go: p.Message",
	// A code, which is not translated.
	"node.html: .Code",
}

// textsOfTables adds the texts of tables that are translated when a page is rendered.
func textsOfTables(texts found) {
	add := func(place string, all ...string) {
		for _, text := range all {
			texts[text] = place
		}
	}
	add("notices", slices.Collect(maps.Values(notices))...)
	for _, b := range proposalBadges {
		add("proposalBadges", b[2])
	}
	for _, g := range scopeGroups {
		add("scopeGroups", g.Title)
		for _, s := range g.Scopes {
			add("scopeGroups", s.Title, s.Text)
		}
	}
	for _, p := range tokenPresets {
		add("tokenPresets", p.Title, p.Text)
	}
	add("tokenLifetimes", tokenLifetimes...)
	add("fieldNames", slices.Collect(maps.Values(fieldNames))...)
	add("stepTitles", slices.Collect(maps.Values(stepTitles))...)
	add("layerNames", slices.Collect(maps.Values(layerNames))...)
	add("groupNames", slices.Collect(maps.Values(groupNames))...)
	add("policyHints", policyHints...)
	for _, p := range policyPresets {
		add("policyPresets", p.Title, p.Text)
	}
	for _, d := range dayOptions {
		add("dayOptions", d.Title)
	}
	add("feeSources", slices.Collect(maps.Values(feeSources))...)
	add("quotaNames", slices.Collect(maps.Values(quotaNames))...)
	for _, role := range []auth.WalletRole{auth.RoleViewer, auth.RoleProposer, auth.RoleSigner, auth.RoleOwner} {
		add("roles", string(role))
	}
	add("auditRow.By", "with a token", "in a session")
	add("roleMeanings", slices.Collect(maps.Values(roleMeanings))...)
	for _, r := range roleTexts {
		add("roleTexts", r.Text)
	}
	for _, r := range rightTexts {
		add("rightTexts", r.Text)
	}
	for _, e := range exportTexts {
		add("exportTexts", e.Text)
	}
	add("scriptTexts", slices.Collect(maps.Values(scriptTexts))...)
	add("formatTexts", slices.Collect(maps.Values(formatTexts))...)
	add("onlyTypeRemedy", onlyTypeRemedy)
	for _, w := range warningTexts {
		add("warningTexts", w[0], w[1])
	}
	for status, badge := range deliveryBadges {
		add("deliveryBadges", string(status), badge.Text)
	}
	add("skipReasons", slices.Collect(maps.Values(skipReasons))...)
	add("disabledReasons", slices.Collect(maps.Values(disabledReasons))...)
	for _, e := range eventTitles {
		add("eventTitles", e.Title)
	}
	for _, b := range txBadges {
		add("txBadges", b[2])
	}
	add("categoryNames", slices.Collect(maps.Values(categoryNames))...)
	for _, p := range chartPeriods {
		add("chartPeriods", p.Title)
	}
	for _, to := range routes {
		if to.purpose != "" {
			add("routes", to.purpose)
		}
	}
	for month := time.January; month <= time.December; month++ {
		add("months", month.String()[:3])
	}
}

// TestCatalogue_Filled shows that messages are found for texts whose placeholders are filled in.
func TestCatalogue_Filled(t *testing.T) {
	t.Parallel()
	c := &catalogue{
		messages: map[string]string{"by %s": "von %s"},
		services: map[string]string{
			"must be at most %d": "darf höchstens %d sein", "must be at most %s": "darf höchstens %s dauern", "must be at most %d files": "höchstens %d Dateien",
			"%s has %d of 5 %%": "%[2]d von 5 %% hat %[1]s", "costs $1 (%s)": "kostet $1 (%s)", "is empty": "ist leer",
			"the code %s; scan it again": "der Code %s; scannen Sie ihn noch einmal",
		},
	}
	c.fill()
	for english, want := range map[string]string{
		"must be at most 12":                           "darf höchstens 12 sein",
		"must be at most 12 days":                      "darf höchstens 12 days dauern",
		"must be at most 12 files":                     "höchstens 12 Dateien",
		"alice has 3 of 5 %":                           "3 von 5 % hat alice",
		"costs $1 (a lot)":                             "kostet $1 (a lot)",
		"the code is empty; scan it again":             "der Code ist leer; scannen Sie ihn noch einmal",
		"the code must be at most 3; scan it again":    "der Code darf höchstens 3 sein; scannen Sie ihn noch einmal",
		"the code costs $1 ($2); scan it again":        "der Code kostet $1 ($2); scannen Sie ihn noch einmal",
		"the code is of somewhere else; scan it again": "der Code is of somewhere else; scannen Sie ihn noch einmal",
		"by night":           "by night", // a text of pages, which is not filled in
		"must be at least 3": "must be at least 3",
	} {
		if got := c.find(english); got != want {
			t.Errorf("%q: %q, not %q", english, got, want)
		}
	}
}

// TestCatalogue_Numbers shows that a text without a placeholder for the number stays as it is.
func TestCatalogue_Numbers(t *testing.T) {
	t.Parallel()
	l := &look{catalogue: &catalogue{messages: map[string]string{"waits": "wartet"}}}
	for want, got := range map[string]string{
		"wartet": l.N(1, "waits", "wait"), "wait": l.N(2, "waits", "wait"), "3 of \u2068a\u2069": l.N(3, "%d in %s", "%d of %s", "a"),
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestCatalogue_Policies compares the formats of sentences about policies with the code of package
// policy: each has a message with the same placeholders, and no message is left over.
func TestCatalogue_Policies(t *testing.T) {
	t.Parallel()
	all, known := found{}, found{}
	inspect(t, "../policy", func(file string, n ast.Node) {
		if e, ok := n.(ast.Expr); ok {
			if text, ok := textOf(e); ok {
				known[text] = file
			}
		}
		call, ok := n.(*ast.CallExpr)
		if !ok || !slices.Contains([]string{"describe.go", "sentence.go", "evaluate.go", "warning.go"}, file) {
			return
		}
		args := call.Args
		switch calledName(call) {
		case "say":
			args = args[:1]
		case "counted":
			args = args[1:]
		default:
			return
		}
		for _, arg := range args {
			if text, ok := textOf(arg); ok && letters.MatchString(placeholder.ReplaceAllString(text, "")) {
				all[text] = file
			}
		}
	})
	if len(all) < 50 {
		t.Fatalf("found only %d formats", len(all))
	}
	for _, lang := range languages[1:] {
		name := lang + "-policy.json"
		messages := readMessages(name)
		for text := range all {
			if messages[text] == "" {
				t.Errorf("messages/%s lacks %q", name, text)
			}
		}
		for text, message := range messages {
			checkMessage(t, name, text, message)
			if known[text] == "" {
				t.Errorf("messages/%s: no code has the text %q", name, text)
			}
		}
	}
}
