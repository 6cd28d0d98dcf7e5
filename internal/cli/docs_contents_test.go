package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/specterd/specterd/internal/config"
	"github.com/specterd/specterd/internal/testenv/testkit"
)

// maxReadmeWords is the length limit of README.md in words.
const maxReadmeWords = 900

// TestReadmeLength checks that README.md stays short.
func TestReadmeLength(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	testkit.Check(t, err)
	if n := len(strings.Fields(string(text))); n > maxReadmeWords {
		t.Errorf("README.md has %d words, must be at most %d", n, maxReadmeWords)
	}
}

// TestDocsIndex checks that docs/README.md links to every document of docs.
func TestDocsIndex(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	testkit.Check(t, err)
	documents, err := filepath.Glob("../../docs/*.md")
	testkit.Check(t, err)
	for _, document := range documents {
		name := filepath.Base(document)
		if name != "README.md" && !strings.Contains(string(index), "]("+name+")") {
			t.Errorf("docs/README.md does not link to %s", name)
		}
	}
}

// settingRow matches a row of a table of settings that has a variable in its first cell.
var settingRow = regexp.MustCompile("(?m)^\\| `(\\w+)`(\\*?) \\|(.*)\\|$")

// TestDocsSettings checks that docs/configuration.md describes every setting with its
// flag and default, and that README.md names only settings that exist, with their
// defaults.
func TestDocsSettings(t *testing.T) {
	rows := func(document string) map[string][]string {
		text, err := os.ReadFile("../../" + document)
		testkit.Check(t, err)
		found := map[string][]string{}
		for _, row := range settingRow.FindAllStringSubmatch(string(text), -1) {
			found[row[1]] = row[2:]
		}
		return found
	}
	documented, summarized := rows("docs/configuration.md"), rows("README.md")
	for _, v := range config.Variables() {
		row, found := documented[v.Name]
		if !found {
			t.Errorf("docs/configuration.md does not describe %s", v.Name)
			continue
		}
		delete(documented, v.Name)
		if row, found := summarized[v.Name]; found && !strings.Contains(row[1], v.Default) {
			t.Errorf("README.md describes %s as %q, want default %q", v.Name, row, v.Default)
		}
		delete(summarized, v.Name)
		marked, cells := row[0] == "*", strings.Split(row[1], "|")
		flag := ""
		if v.Flag != "" {
			flag = "`--" + v.Flag + "`"
		}
		if marked != v.Secret || strings.TrimSpace(cells[0]) != flag || !strings.Contains(cells[1], v.Default) {
			t.Errorf("docs/configuration.md describes %s as %q, want secret %t, flag %q and default %q", v.Name, row, v.Secret, flag, v.Default)
		}
	}
	for name := range documented {
		t.Errorf("docs/configuration.md describes %s, which is not a setting", name)
	}
	for name := range summarized {
		t.Errorf("README.md describes %s, which is not a setting", name)
	}
}
