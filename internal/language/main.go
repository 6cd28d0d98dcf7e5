// Command language checks the English of Markdown files, Go comments and Go strings
// against a list of phrases that this project does not use.
//
//	go run ./internal/language [-lower] DIR
//
// It prints each finding with the replacement, and exits with status 1 if a document or the
// Go files of a directory contain more phrases than exceptions.txt allows. That list is for
// texts older than this check, and its numbers must only decrease: -lower sets them to the
// current numbers of findings.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rules are the phrases with their replacements.
var rules = []struct {
	phrase  *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\b(some|no|any|every)body\b|\bwhoever\b`), "name the role: user, caller, member, another process"},
	{regexp.MustCompile(`(?i)\b(anew|afresh|henceforth)\b`), "again, from now on"},
	{regexp.MustCompile(`(?i)\bin (vain|earnest)\b`), "without a result"},
	{regexp.MustCompile(`(?i)\b(has|have) to (be|have|lie)\b`), "must be, is required"},
	{regexp.MustCompile(`(?i)\b(there )?(is|are|was|were) no (a )?[a-z]+|\b(there )?(is|are|was|were) none\b`), "is not a, there is no, has no"},
	{regexp.MustCompile(`(?i)\bby (itself|themselves)\b`), "automatically, alone"},
	{regexp.MustCompile(`(?i)\blook(s|ed|ing)? (whether|how|what|through|after)\b`), "check whether, rescan, manage"},
	{regexp.MustCompile(`(?i)\b(tell|tells|told) (of|what|how|whether|apart)\b|\bis (told|said)\b`), "report, distinguish"},
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "fix, repair"},
	{regexp.MustCompile(`(?i)\b(bring|brings|brought) (\w+ )?(along|over)\b|\bcarr(y|ied|ies) over\b`), "import, copy"},
	{regexp.MustCompile(`(?i), too\b`), "also"},
	{regexp.MustCompile(`(?i)\bfor (the sake|want) of\b`), "for, because of, without"},
	{regexp.MustCompile(`\b([Hh]as|[Hh]ave|[Hh]ad) (Core|it|them|the node|people|others|those|a wallet|a new key|the server) [a-z]+\b`), "make X do Y, let X do Y"},
	{regexp.MustCompile(`(?i)(^|[,;.] )where (that|there|it|one|not|a|the|they)\b`), "if"},
	{regexp.MustCompile(`(?i)\b(of|is|from|and|with|by|to) what (is|was|there|it|they|a|the|comes|came|has|have|does)\b`), "use a noun"},
	{regexp.MustCompile(`(?i)\b(that\sof|those\sthat|all\sthat|all\sthere\sis)\b`), "repeat the noun"},
}

// finding is a phrase in a file.
type finding struct {
	path    string
	line    int
	phrase  string
	instead string
}

// findings are grouped by Markdown file and by directory of Go files, relative to the
// checked directory.
type findings map[string][]finding

//go:embed exceptions.txt
var exceptions string

// skipped are the names of directories that contain no text of this project, or that
// contain the phrases themselves.
var skipped = []string{".git", ".cache", "node_modules", "testdata", "dist", "language"}

func main() {
	lower := flag.Bool("lower", false, "lower the numbers in internal/language/exceptions.txt")
	flag.Parse()
	if flag.NArg() != 1 {
		fail(fmt.Errorf("usage: language [-lower] DIR"))
	}
	allowed, err := parseExceptions(exceptions)
	if err != nil {
		fail(err)
	}
	found, err := check(flag.Arg(0))
	if err != nil {
		fail(err)
	}
	if *lower {
		text := lowered(allowed, found)
		if err := os.WriteFile(filepath.Join(flag.Arg(0), "internal", "language", "exceptions.txt"), []byte(text), 0o644); err != nil { //nolint:gosec // a file of the repository
			fail(err)
		}
		return
	}
	if text := report(allowed, found); text != "" {
		fmt.Print(text)
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "language:", err)
	os.Exit(2)
}

// parseExceptions returns the allowed number of findings by path, from lines with a
// number and a path.
func parseExceptions(text string) (map[string]int, error) {
	allowed := map[string]int{}
	for line := range strings.Lines(text) {
		number, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(number)
		if err != nil || path == "" {
			return nil, fmt.Errorf("exceptions.txt: want a number and a path: %q", line)
		}
		allowed[path] = n
	}
	return allowed, nil
}

// lowered returns the exceptions lowered to the numbers of findings. It adds no exception
// and raises no number.
func lowered(allowed map[string]int, found findings) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(allowed)) {
		if n := min(allowed[path], len(found[path])); n > 0 {
			fmt.Fprintf(&b, "%d %s\n", n, path)
		}
	}
	return b.String()
}

// report lists the findings of each group that has more findings than allowed.
func report(allowed map[string]int, found findings) string {
	var b strings.Builder
	for _, path := range slices.Sorted(maps.Keys(found)) {
		if len(found[path]) <= allowed[path] {
			continue
		}
		for _, f := range found[path] {
			fmt.Fprintf(&b, "%s:%d: %q; instead: %s\n", f.path, f.line, f.phrase, f.instead)
		}
		if n := allowed[path]; n > 0 {
			fmt.Fprintf(&b, "%s: %d of these phrases are allowed by exceptions.txt\n", path, n)
		}
	}
	return b.String()
}

// check returns the findings in all Markdown and Go files below a directory, except
// generated files.
func check(root string) (findings, error) {
	found := findings{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch filepath.Ext(path) {
		case ".md":
			return found.inMarkdown(path, name)
		case ".go":
			return found.inGo(path, name)
		}
		return nil
	})
	return found, err
}

func (f findings) inMarkdown(path, name string) error {
	text, err := os.ReadFile(path) //nolint:gosec // a file of the repository
	if err != nil {
		return err
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		f.add(name, name, i+1, string(line))
	}
	return nil
}

func (f findings) inGo(path, name string) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(file) {
		return err
	}
	for _, group := range file.Comments {
		f.add(filepath.Dir(name), name, files.Position(group.Pos()).Line, strings.ReplaceAll(group.Text(), "\n", " "))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, err := strconv.Unquote(literal.Value)
		if err == nil && isSentence(text) {
			f.add(filepath.Dir(name), name, files.Position(literal.Pos()).Line, text)
		}
		return true
	})
	return nil
}

// isSentence reports whether the rules apply to a string. It excludes short strings, such
// as names and formats, and SQL.
func isSentence(text string) bool {
	return len(strings.Fields(text)) >= 4 && !strings.Contains(text, "SELECT")
}

func (f findings) add(group, path string, line int, text string) {
	for _, r := range rules {
		for _, phrase := range r.phrase.FindAllString(text, -1) {
			if strings.HasSuffix(phrase, " no longer") || strings.HasSuffix(phrase, " no more") || strings.HasPrefix(strings.ToLower(phrase), "there ") {
				continue
			}
			f[group] = append(f[group], finding{path, line, strings.TrimSpace(phrase), r.instead})
		}
	}
}
