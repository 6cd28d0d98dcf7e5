package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/specterd/specterd/internal/testenv/testkit"
)

// quotedFile matches a comment that names a file, and the code block below it that quotes
// the file.
var quotedFile = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```\\w*\n(.*?)```\n")

// TestDocsQuoteFiles checks that each file quoted in the documentation is quoted in
// full.
func TestDocsQuoteFiles(t *testing.T) {
	quotes := 0
	for _, page := range repositoryFiles(t, "docs/*.md") {
		text, err := os.ReadFile(page)
		testkit.Check(t, err)
		for _, quote := range quotedFile.FindAllStringSubmatch(string(text), -1) {
			quotes++
			file, err := os.ReadFile(filepath.Join("../..", quote[1]))
			testkit.Check(t, err)
			if string(file) != quote[2] {
				t.Errorf("%s does not quote %s exactly", page, quote[1])
			}
		}
	}
	if quotes < 2 {
		t.Errorf("%d files are quoted", quotes)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
)

// TestDocsLinks checks that each link to a file of the repository names a file that
// exists, and that each anchor names a heading of that file.
func TestDocsLinks(t *testing.T) {
	for _, page := range repositoryFiles(t, "*.md", "docs/*.md", "docs/adr/*.md") {
		text, err := os.ReadFile(page)
		testkit.Check(t, err)
		for _, target := range link.FindAllStringSubmatch(string(text), -1) {
			checkLink(t, page, target[1], target[2])
		}
	}
}

// checkLink checks a link on a page; an empty path means the page itself.
func checkLink(t *testing.T, page, path, anchor string) {
	t.Helper()
	target := page
	if path != "" {
		target = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s links to %s, which does not exist", page, path)
		return
	}
	if anchor == "" || filepath.Ext(target) != ".md" {
		return
	}
	text, err := os.ReadFile(target)
	testkit.Check(t, err)
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
		if slug(h[1]) == anchor {
			return
		}
	}
	t.Errorf("%s links to %s#%s, which is not a heading there", page, path, anchor)
}

// sourcePath matches a path of the repository in a code span.
var sourcePath = regexp.MustCompile("`((?:cmd|deploy|docs|internal|queries|scripts|test|tools)/[\\w./-]+)`")

// packageFile matches a Go file in a code span, by its path below internal, such as
// `store/token.go`. The parents of a nested package may be omitted.
var packageFile = regexp.MustCompile("`([a-z0-9]+/[a-z0-9/_]+\\.go)`")

// TestDocsPaths checks that each path of the repository that the documentation mentions
// exists, so that the documentation is updated when a file is renamed.
func TestDocsPaths(t *testing.T) {
	for _, page := range repositoryFiles(t, "*.md", "docs/*.md", "docs/adr/*.md") {
		if filepath.Base(page) == "CHANGELOG.md" {
			continue
		}
		text, err := os.ReadFile(page)
		testkit.Check(t, err)
		for _, path := range sourcePath.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join("../..", path[1])); err != nil {
				t.Errorf("%s names %s, which does not exist", page, path[1])
			}
		}
		for _, path := range packageFile.FindAllStringSubmatch(string(text), -1) {
			if len(repositoryFiles(t, path[1], "internal/"+path[1], "internal/*/"+path[1])) == 0 {
				t.Errorf("%s names %s, which does not exist", page, path[1])
			}
		}
	}
}

// repositoryFiles returns the files that match the patterns, relative to the repository.
func repositoryFiles(t *testing.T, patterns ...string) (pages []string) {
	t.Helper()
	for _, pattern := range patterns {
		matches, err := filepath.Glob("../../" + pattern)
		testkit.Check(t, err)
		pages = append(pages, matches...)
	}
	return pages
}

// slug returns the anchor that GitHub derives from a heading.
func slug(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
