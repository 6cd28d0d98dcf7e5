package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// quotedFile is a block of code below the comment that names the file it shows.
var quotedFile = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```\\w*\n(.*?)```\n")

// TestDocsQuoteFiles checks that each file quoted in the documentation is quoted in
// full.
func TestDocsQuoteFiles(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	check(t, err)
	quotes := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		check(t, err)
		for _, quote := range quotedFile.FindAllStringSubmatch(string(text), -1) {
			quotes++
			file, err := os.ReadFile(filepath.Join("../..", quote[1]))
			check(t, err)
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
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		pages, err := filepath.Glob("../../" + pattern)
		check(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			check(t, err)
			for _, target := range link.FindAllStringSubmatch(string(text), -1) {
				checkLink(t, page, target[1], target[2])
			}
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
	check(t, err)
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
		if slug(h[1]) == anchor {
			return
		}
	}
	t.Errorf("%s links to %s#%s, which is not a heading there", page, path, anchor)
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
