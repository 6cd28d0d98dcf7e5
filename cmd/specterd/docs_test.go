package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// quotedFile is a block of code below the comment that names the file it shows.
var quotedFile = regexp.MustCompile("(?s)<!-- file: (\\S+) -->\n```\\w*\n(.*?)```\n")

// TestDocsQuoteFiles: what the documentation shows of a file is all of that file.
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
				t.Errorf("%s does not show %s as it is", page, quote[1])
			}
		}
	}
	if quotes < 2 {
		t.Errorf("%d files are quoted", quotes)
	}
}

var link = regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)\s]*)?\)`)

// TestDocsLinks: what the documentation links to in the repository is there.
func TestDocsLinks(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	check(t, err)
	top, err := filepath.Glob("../../*.md")
	check(t, err)
	for _, page := range append(pages, top...) {
		text, err := os.ReadFile(page)
		check(t, err)
		for _, target := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, target[1])
			}
		}
	}
}
