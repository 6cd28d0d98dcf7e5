package nodestatus_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/node/nodestatus"
)

// testMethods are methods that package backend uses only in tests.
var testMethods = []string{"getbalances", "listunspent", "listwallets"}

// TestMethods_Complete compares the list with the methods that the code calls.
func TestMethods_Complete(t *testing.T) {
	var called, listed []string
	for _, dir := range []string{"../backend", "."} {
		called = append(called, calledMethods(t, dir)...)
	}
	for _, m := range nodestatus.Methods() {
		listed = append(listed, m.Name)
	}
	slices.Sort(called)
	called = slices.DeleteFunc(slices.Compact(called), func(name string) bool { return slices.Contains(testMethods, name) })
	if !slices.Equal(called, listed) {
		t.Errorf("methods called:\n%q, methods listed:\n%q", called, listed)
	}
	text, err := os.ReadFile("../../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	if line := "rpcwhitelist=specterd:" + strings.Join(listed, ","); !strings.Contains(string(text), line) {
		t.Errorf("docs/deployment.md lacks %s", line)
	}
}

// calledMethods returns the names of RPC methods in the Go code of a directory:
// strings passed to the functions that make calls, those in a Request, and
// constants.
func calledMethods(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(dir, err)
	}
	note := func(e ast.Expr) {
		literal, ok := e.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return
		}
		if name, err := strconv.Unquote(literal.Value); err == nil && regexp.MustCompile(`^[a-z]+$`).MatchString(name) {
			names = append(names, name)
		}
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				for _, arg := range n.Args {
					if isCaller(n.Fun) {
						note(arg)
					}
				}
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Method" {
					note(n.Value)
				}
			case *ast.ValueSpec:
				if n.Names[0].Name == "method" && len(n.Values) == 1 {
					note(n.Values[0])
				}
			}
			return true
		})
	}
	return names
}

// isCaller reports whether a function calls a method of the node.
func isCaller(fun ast.Expr) bool {
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name == "call"
	case *ast.SelectorExpr:
		return slices.Contains([]string{"read", "write", "Call"}, fun.Sel.Name)
	default:
		return false
	}
}

// TestAccess covers forbidden and missing methods and the resulting status.
func TestAccess(t *testing.T) {
	var all []string
	for _, m := range nodestatus.Methods() {
		all = append(all, m.Name)
	}
	for name, c := range map[string]struct {
		forbidden, unknown []string
		code, says         string // of the problem
		notices            string
	}{
		"everything":         {},
		"no wallets":         {unknown: []string{"createwallet", "listwalletdir", "gettransaction"}, code: "node_wallet_disabled", says: "remove disablewallet=1"},
		"old":                {unknown: []string{"gettxspendingprevout"}, code: "node_method_unknown", says: "25 or later: gettxspendingprevout"},
		"built without ZMQ":  {unknown: []string{"getzmqnotifications"}, notices: "no_zmq"},
		"required forbidden": {forbidden: []string{"lockunspent", "getnettotals", "abortrescan"}, code: "node_method_forbidden", says: "rpcwhitelist in its bitcoin.conf and restart it: abortrescan,lockunspent"},
		"poll forbidden":     {forbidden: []string{"getmempoolinfo"}, code: "node_method_forbidden", says: ": getmempoolinfo"},
		"all forbidden":      {forbidden: all, code: "node_method_forbidden", says: "forbids every call of specterd"},
		"optional forbidden": {forbidden: []string{"getindexinfo", "estimatesmartfee", "getzmqnotifications"}, notices: "method_forbidden method_forbidden method_forbidden"},
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode()
			n.replace(`"pruned":true`, `"pruned":false`)
			n.forbidden = c.forbidden
			for _, method := range c.unknown {
				n.set(method, "-32601")
			}
			m, _ := monitor(t, n, nodestatus.Options{})
			s := m.Check(t.Context())
			if c.code == "" {
				if s.Problem != nil || !s.Reachable || s.Blocks != 186 {
					t.Errorf("got %+v", s.Problem)
				}
			} else if wantCode(t, s.Ready(), c.code); !strings.Contains(s.Problem.Message, c.says) {
				t.Errorf("got %s", s.Problem.Message)
			}
			var codes []string
			for _, notice := range s.Notices() {
				codes = append(codes, notice.Code)
			}
			if got := strings.Join(codes, " "); c.code == "" && got != c.notices {
				t.Errorf("notices %q, want %q", got, c.notices)
			}
		})
	}
}

// TestAccess_Rechecked checks that access is checked once a minute, not on every poll, and
// immediately after the node was unreachable or restarted.
func TestAccess_Rechecked(t *testing.T) {
	n := newFakeNode()
	n.set("createwallet", "-32601")
	m, log := monitor(t, n, nodestatus.Options{})
	for range 5 {
		wantCode(t, m.Check(t.Context()).Ready(), "node_wallet_disabled")
	}
	if n.checks != 1 {
		t.Errorf("checked %d times in a few seconds", n.checks)
	}
	n.setAway(true)
	m.Check(t.Context())
	n.setAway(false)
	n.set("createwallet", "1")
	if f := m.Check(t.Context()).Ready(); f != nil {
		t.Errorf("after it was unreachable: %v", f)
	}
	n.set("createwallet", "-32601")
	n.set("uptime", "1")
	m.Check(t.Context())
	wantCode(t, m.Check(t.Context()).Ready(), "node_wallet_disabled")
	if got := log.messages(t); !slices.Equal(got, []string{"node configuration unusable", "node lost", "node reached", "node configuration unusable"}) {
		t.Errorf("logged %q", got)
	}
}

// TestBusyNode checks that a briefly busy node counts as ready, and a node that stays busy
// does not.
func TestBusyNode(t *testing.T) {
	n := newFakeNode()
	m, _ := monitor(t, n, nodestatus.Options{})
	m.Check(t.Context())
	n.busy = true
	if s := m.Check(t.Context()); s.Ready() != nil {
		t.Errorf("busy for a moment: %v", s.Ready())
	}
	var s nodestatus.Status
	for range 30 { // two seconds each
		s = m.Check(t.Context())
	}
	if wantCode(t, s.Ready(), "node_busy"); !strings.Contains(s.Problem.Message, "raise rpcworkqueue") {
		t.Errorf("got %v", s.Problem)
	}
}

func TestNotices(t *testing.T) {
	for result, want := range map[string][2]string{
		"getindexinfo":        {`{}`, "no_block_filter_index"},
		"getzmqnotifications": {`[{"type":"pubrawtx"}]`, "no_zmq"},
		"getnetworkinfo":      {`{"version":290403,"localrelay":false,"relayfee":0.00001000}`, "blocksonly"},
		"getmempoolinfo":      {`{}`, ""},
		"uptime":              {`3`, ""},
	} {
		t.Run(result, func(t *testing.T) {
			n := newFakeNode()
			n.replace(`"pruned":true`, `"pruned":false`)
			n.set(result, want[0])
			m, _ := monitor(t, n, nodestatus.Options{})
			if len(m.Status().Notices()) > 0 {
				t.Errorf("notices before the first contact")
			}
			var codes []string
			for _, notice := range m.Check(t.Context()).Notices() {
				codes = append(codes, notice.Code)
			}
			if got := strings.Join(codes, " "); got != want[1] {
				t.Errorf("%s: notices %q, want %q", result, got, want[1])
			}
		})
	}
	n := newFakeNode()
	n.set("getnetworkinfo", `{"version":290403,"localrelay":true,"relayfee":0.00100000}`)
	m, _ := monitor(t, n, nodestatus.Options{})
	list := m.Check(t.Context()).Notices()
	if len(list) != 2 || list[0].Code != "pruned" || !strings.Contains(list[0].Message, "no blocks before 7") ||
		list[1].Code != "high_relay_fee" || !strings.Contains(list[1].Message, "below 100 sat/vB") {
		t.Errorf("got %+v", list)
	}
}
